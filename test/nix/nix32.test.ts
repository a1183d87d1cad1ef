/** Nix's base 32. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FormatError } from "../../src/nix/format-error.ts";
import { decodeNix32, encodeNix32, NIX32_CLASS } from "../../src/nix/nix32.ts";
import vectors from "../fixtures/nix32.json";

describe("nix32", () => {
  test.each(vectors)("$hex, as nix-hash --to-base32 writes it", ({ hex, nix32 }) => {
    expect(encodeNix32(Uint8Array.fromHex(hex))).toBe(nix32);
    expect(decodeNix32(nix32, 32).toHex()).toBe(hex);
  });

  test("bytes survive, of any number, in characters of the class", () => {
    const pattern = new RegExp(`^${NIX32_CLASS}*$`);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), (bytes) => {
        const text = encodeNix32(bytes);
        expect(text).toMatch(pattern);
        expect(decodeNix32(text, bytes.length)).toEqual(bytes);
      }),
    );
  });

  test("no two texts stand for the same bytes", () => {
    fc.assert(
      fc.property(fc.stringMatching(new RegExp(`^${NIX32_CLASS}{26}$`)), (text) => {
        try {
          expect(encodeNix32(decodeNix32(text, 16))).toBe(text);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
    );
  });

  test.each([
    ["a character too few", "0".repeat(51)],
    ["a character too many", "0".repeat(53)],
    ["nothing", ""],
    ...["e", "o", "u", "t", "A", "/", "é"].map((c) => [`the character ${c}`, c + "0".repeat(51)]),
    ["padding bits that are not zero", `2${"0".repeat(51)}`],
  ])("refuses %s", (_, text) => {
    expect(() => decodeNix32(text, 32)).toThrow(FormatError);
  });
});
