/** BLAKE3: known hashes, and those of @noble/hashes for any input in any pieces. */
import { blake3 as reference } from "@noble/hashes/blake3.js";
import fc from "fast-check";
import { expect, test } from "vitest";
import { blake3 } from "../../src/verify/blake3.ts";

function hashOf(...pieces: readonly Uint8Array[]): string {
  const hash = blake3();
  for (const piece of pieces) hash.update(piece);
  return hash.digest().toHex();
}

test.each([
  ["", "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"],
  ["abc", "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"],
])('of "%s"', (text, hash) => {
  expect(hashOf(new TextEncoder().encode(text))).toBe(hash);
});

// Around the ends of blocks, of chunks and of subtrees.
const LENGTHS = [64, 1024, 2048, 3072, 4096, 5120, 7168, 8192, 16384, 31744, 102400].flatMap((length) =>
  [-1, 0, 1].map((more) => length + more),
);

// The input of the vectors that its authors publish.
const INPUT = Uint8Array.from({ length: 2 ** 17 }, (_, at) => at % 251);

test.each(LENGTHS)("of %d bytes", (length) => {
  const bytes = INPUT.subarray(0, length);
  expect(hashOf(bytes)).toBe(reference(bytes).toHex());
});

test("of any bytes, in any pieces, and of a copy that goes on by itself", () => {
  const piece = fc
    .tuple(fc.nat(5000), fc.nat(INPUT.length - 5000))
    .map(([length, start]) => INPUT.subarray(start, start + length));
  const pieces = fc.array(piece, { maxLength: 6 });
  const expected = (all: readonly Uint8Array[]) => {
    const hash = reference.create();
    for (const each of all) hash.update(each);
    return hash.digest().toHex();
  };
  fc.assert(
    fc.property(pieces, pieces, pieces, (first, one, other) => {
      const hash = blake3();
      for (const each of first) hash.update(each);
      const copy = hash.copy();
      for (const each of one) hash.update(each);
      for (const each of other) copy.update(each);
      expect(hash.digest().toHex()).toBe(expected([...first, ...one]));
      expect(copy.digest().toHex()).toBe(expected([...first, ...other]));
    }),
  );
});
