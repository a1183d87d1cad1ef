// Store paths made up of a number: the same in the program that asks and in the Worker that has them.

/** How many paths each one refers to. */
export const REFERENCES = 5;

const DIGITS = "0123456789abcdfghijklmnpqrsvwxyz";
/** Knuth's multiplicative hash: neighbours lie far apart, as hashes do, and no two meet. */
const SPREAD = 2654435761n;

/** A hash in Nix's base 32; of the longer ones the first digit stays 0, so that 52 digits are a SHA-256. */
export function storeHash(index: number, length = 32): string {
  let rest = (BigInt(index) * SPREAD) % 2n ** 32n;
  let text = "";
  for (let digit = 0; digit < 8; digit++) {
    text = DIGITS[Number(rest & 31n)] + text;
    rest >>= 5n;
  }
  return text.padStart(length, "0");
}

export function pathName(index: number): string {
  return `${storeHash(index)}-package-with-a-usual-name-${index}`;
}
