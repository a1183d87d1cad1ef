/** Hashes in all the forms in which Nix writes them. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { equalHash, formatHash, type HashAlgorithm, parseHash, parseSha256 } from "../../src/nix/hash.ts";

/** SHA-256 of nothing, in every spelling. */
const HEX = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const NIX32 = "0mdqa9w1p6cmli6976v4wi0sw9r4p5prkj7lzfd1877wk11c9c73";
const BASE64 = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";

const BYTES: [HashAlgorithm, number][] = [
  ["md5", 16],
  ["sha1", 20],
  ["sha256", 32],
  ["sha512", 64],
];

describe("parseHash", () => {
  test.each([
    `sha256:${HEX}`,
    `sha256:${HEX.toUpperCase()}`,
    `sha256:${NIX32}`,
    `sha256:${BASE64}`,
    `sha256-${BASE64}`,
  ])("reads %s", (text) => {
    expect(parseHash(text).bytes.toHex()).toBe(HEX);
    expect(formatHash(parseSha256(text))).toBe(`sha256:${NIX32}`);
  });

  test.each([
    "",
    HEX,
    NIX32,
    "sha256",
    "sha256:",
    "sha256-",
    `SHA256:${HEX}`,
    `sha384:${HEX}`,
    `sha1:${HEX}`,
    `sha256-${HEX}`,
    `sha256:${HEX.slice(1)}`,
    `sha256:${HEX.slice(1)}g`,
    `sha256:${NIX32}0`,
    `sha256:2${NIX32.slice(1)}`,
    `sha256-${BASE64.slice(0, -1)}`,
    `sha256-${BASE64.replace("=", "==")}`,
    `sha256-${BASE64.slice(0, -2)}V=`,
    `sha256-${BASE64.replaceAll("+", "-")}`,
    `sha256: ${NIX32}`,
    `sha256:${NIX32}\n`,
    `sha256-${BASE64.slice(0, -2)} =`,
  ])("refuses %j", (text) => {
    expect(() => parseHash(text)).toThrow(FormatError);
  });

  test.each(BYTES)("%s survives every spelling", (algorithm, length) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (array) => {
        const hash = { algorithm, bytes: new Uint8Array(array) };
        for (const text of [
          formatHash(hash),
          `${algorithm}:${hash.bytes.toHex()}`,
          `${algorithm}:${hash.bytes.toBase64()}`,
          `${algorithm}-${hash.bytes.toBase64()}`,
        ]) {
          expect(equalHash(parseHash(text), hash)).toBe(true);
        }
      }),
    );
  });
});

test("parseSha256 takes no other algorithm", () => {
  expect(() => parseSha256("md5:d41d8cd98f00b204e9800998ecf8427e")).toThrow("must be a sha256 hash");
});

test("equalHash compares algorithm and bytes", () => {
  const hash = parseHash(`sha256:${HEX}`);
  expect(equalHash(hash, parseHash(`sha256-${BASE64}`))).toBe(true);
  expect(equalHash(hash, parseHash(`sha256:${"0".repeat(64)}`))).toBe(false);
  expect(equalHash(parseHash(`sha1:${"0".repeat(40)}`), parseHash(`md5:${"0".repeat(32)}`))).toBe(false);
});
