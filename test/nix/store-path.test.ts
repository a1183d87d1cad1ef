/** Store paths and their names. */
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { checkBaseName, formatStorePath, parseStorePath } from "../../src/nix/store-path.ts";

const HASH = "pqpcs4zhmra4mhifhyq8vj5kf67xi8qs";

describe("names", () => {
  test.each([
    "demo+plus_1.0-rc=1",
    "a",
    "-",
    "?",
    "a".repeat(211),
    ".gitignore",
    "...",
    "..a",
    "libstdc++-12.3.0.drv",
    "hello-2.10-x86_64-linux",
  ])("%j is one", (name) => {
    expect(checkBaseName(`${HASH}-${name}`)).toEqual({ hash: HASH, name });
  });

  test.each([
    "",
    ".",
    "..",
    ".-a",
    "..-a",
    "..-",
    "a".repeat(212),
    "a/b",
    "a b",
    "a\n",
    "é",
    "a!b",
    "a\0",
    "a%20b",
    "a@b",
  ])("%j is none", (name) => {
    expect(() => checkBaseName(`${HASH}-${name}`)).toThrow(FormatError);
  });

  test.each([
    "",
    HASH,
    `${HASH.slice(1)}-a`,
    `${HASH}0-a`,
    `e${HASH.slice(1)}-a`,
    `${HASH.toUpperCase()}-a`,
    `/nix/store/${HASH}-a`,
    ` ${HASH}-a`,
  ])("%j is no base name", (text) => {
    expect(() => checkBaseName(text)).toThrow(FormatError);
  });
});

describe("full paths", () => {
  test.each(["/nix/store", "/gnu/store", "/home/me/store"])("in %s", (storeDir) => {
    const text = `${storeDir}/${HASH}-hello-2.10`;
    const path = parseStorePath(text, storeDir);
    expect(path).toEqual({ storeDir, hash: HASH, name: "hello-2.10", baseName: `${HASH}-hello-2.10` });
    expect(formatStorePath(path)).toBe(text);
  });

  test.each([
    `${HASH}-a`,
    `/gnu/store/${HASH}-a`,
    `/nix/store${HASH}-a`,
    `/nix/store//${HASH}-a`,
    `/nix/store/${HASH}-a/bin`,
    `/nix/store/${HASH}-a/`,
    `/nix/store/../store/${HASH}-a`,
    "/nix/store/",
  ])("%s is none in /nix/store", (text) => {
    expect(() => parseStorePath(text, "/nix/store")).toThrow(FormatError);
  });
});

test("an error stays short and on one line, whatever it quotes", () => {
  expect.assertions(2);
  try {
    checkBaseName(`\r\n${"x".repeat(5000)}`);
  } catch (error) {
    expect(String(error)).not.toMatch(/[\r\n]/);
    expect(String(error).length).toBeLessThan(300);
  }
});
