/** Content addresses: each belongs to the path that Nix made of it, and to no other. */
import { describe, expect, test } from "vitest";
import { storePathOfContentAddress } from "../../src/nix/content-address.ts";
import { parseNarInfo } from "../../src/nix/narinfo.ts";
import { checkBaseName } from "../../src/nix/store-path.ts";
import madeByNix from "../fixtures/content-addresses.json";
import { narInfos } from "./fixtures.ts";

const STORE = "/nix/store";
const SHA256 = "sha256:04zwf782yjwnh3q6hz5izfd6jyip8kgw6g6yj43fiqhbyhdd0dqw";
const REFERENCE = "89q0zs5hnrag4rv39ibvbz5l6494ki9h-plain.txt";

describe.each(madeByNix)("$baseName, $ca", ({ baseName, ca, references }) => {
  const { name } = checkBaseName(baseName);

  test("is the path that Nix made", async () => {
    expect(await storePathOfContentAddress(ca, name, references, STORE, baseName)).toBe(baseName);
    expect(await storePathOfContentAddress(ca, name, references.toReversed(), STORE, baseName)).toBe(
      baseName,
    );
  });

  test("is another with another name, store, hash or reference", async () => {
    const otherHash = ca.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    for (const other of [
      storePathOfContentAddress(ca, `${name}x`, references, STORE, baseName),
      storePathOfContentAddress(ca, name, references, "/gnu/store", baseName),
      storePathOfContentAddress(otherHash, name, references, STORE, baseName),
      storePathOfContentAddress(ca, name, [...references, baseName.replace(/^./, "0")], STORE, baseName),
    ]) {
      expect(await other).not.toBe(baseName);
    }
  });
});

test.each(narInfos.filter(({ text }) => text.includes("\nCA: ")))(
  "the CA of $hash, Nix $version, $folder, gives its path",
  async ({ text }) => {
    const { ca = "", storePath, references } = parseNarInfo(text, STORE);
    expect(await storePathOfContentAddress(ca, storePath.name, references, STORE, storePath.baseName)).toBe(
      storePath.baseName,
    );
  },
);

test("a self-reference counts as one only if self is given", async () => {
  const ca = `fixed:r:${SHA256}`;
  const withSelf = await storePathOfContentAddress(ca, "a", [REFERENCE], STORE, REFERENCE);
  const without = await storePathOfContentAddress(ca, "a", [REFERENCE], STORE);
  expect(withSelf).not.toBe(without);
});

test("git's hashes give another path than the flat and the NAR's", async () => {
  const paths = await Promise.all(
    ["fixed:", "fixed:r:", "fixed:git:", "text:"].map((method) =>
      storePathOfContentAddress(`${method}${SHA256}`, "a", [], STORE),
    ),
  );
  expect(paths).not.toContain(undefined);
  expect(new Set(paths).size).toBe(4);
});

test.each([
  "",
  "fixed",
  "fixed:",
  SHA256,
  `recursive:${SHA256}`,
  `fixed:x:${SHA256}`,
  `text:r:${SHA256}`,
  `fixed:r:${SHA256}x`,
  `fixed:r:${SHA256}:`,
  "fixed:r:sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=",
  `text:sha1:${"0".repeat(40)}`,
  `fixed:git:md5:${"0".repeat(32)}`,
  `fixed:r:blake3:${"0".repeat(62)}`,
  `fixed:git:blake3:${"0".repeat(64)}`,
])("%j is no content address", async (ca) => {
  expect(await storePathOfContentAddress(ca, "a", [], STORE)).toBeUndefined();
});

test.each([
  ["a flat file with references", `fixed:${SHA256}`, [REFERENCE], undefined],
  ["a git tree with references", `fixed:git:${SHA256}`, [REFERENCE], undefined],
  ["a NAR by SHA-1 with references", `fixed:r:sha1:${"0".repeat(40)}`, [REFERENCE], undefined],
  ["a text that refers to itself", `text:${SHA256}`, [REFERENCE], REFERENCE],
])("%s has no path", async (_, ca, references, self) => {
  expect(await storePathOfContentAddress(ca, "a", references, STORE, self)).toBeUndefined();
});
