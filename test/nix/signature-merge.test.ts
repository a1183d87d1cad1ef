/** Merged signatures: well-formed, each once, bounded, and those that count are not pushed out. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { mergeSignatures } from "../../src/nix/signature-merge.ts";

const signature = (name: string, byte = 0) => `${name}:${new Uint8Array(64).fill(byte).toBase64()}`;
const [A, B, C] = [signature("a"), signature("b"), signature("c")];
const none = () => false;

test.each([
  ["each once, in the order given", [B, A, B], 32, none, [B, A]],
  ["without malformed ones", ["", "a", "a:AAAA", A, `${A}\n`, ` ${A}`], 32, none, [A]],
  ["two of one key are two", [A, signature("a", 1)], 32, none, [A, signature("a", 1)]],
  ["the first ones where there are too many", [A, B, C], 2, none, [A, B]],
  ["preferred ones instead of earlier others", [A, B, C], 2, (s: string) => s === C, [A, C]],
  ["no more preferred ones than fit", [A, B, C], 2, () => true, [A, B]],
  ["a malformed one is not preferred", ["x", A], 1, (s: string) => s === "x", [A]],
])("%s", (_, signatures, max, preferred, expected) => {
  expect(mergeSignatures(signatures, { max, preferred })).toEqual(expected);
});

test("bounded, merged again the same, and no preferred one is dropped for another", () => {
  const pool = Array.from({ length: 8 }, (_, byte) => signature("k", byte));
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...pool, "junk")),
      fc.uniqueArray(fc.constantFrom(...pool)),
      fc.nat(8),
      (signatures, trusted, max) => {
        const bound = { max, preferred: (each: string) => trusted.includes(each) };
        const merged = mergeSignatures(signatures, bound);
        expect(merged.length).toBeLessThanOrEqual(max);
        expect(mergeSignatures([...merged, ...signatures], bound)).toEqual(merged);
        const dropped = trusted.filter((each) => signatures.includes(each) && !merged.includes(each));
        if (dropped.length > 0) expect(merged.every(bound.preferred)).toBe(true);
      },
    ),
  );
});
