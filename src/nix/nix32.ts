/** Nix's base-32: its own alphabet, and the bytes read from the last to the first (libutil/hash.cc). */

import { FormatError, quote } from "./format-error.ts";

/** Without e, o, u and t. */
const ALPHABET = "0123456789abcdfghijklmnpqrsvwxyz";

/** A regular expression's character class of the alphabet. */
export const NIX32_CLASS = "[0-9a-df-np-sv-z]";

/** The length of `bytes` bytes in base-32: 20 bytes have 32 characters, 32 have 52. */
function nix32Length(bytes: number): number {
  return Math.ceil((bytes * 8) / 5);
}

/** Writes bytes in base-32. */
export function encodeNix32(bytes: Uint8Array): string {
  let text = "";
  for (let digit = nix32Length(bytes.length) - 1; digit >= 0; digit--) {
    const bit = digit * 5;
    const low = bytes[bit >> 3] ?? 0;
    const high = bytes[(bit >> 3) + 1] ?? 0;
    text += ALPHABET.charAt(((low | (high << 8)) >> (bit & 7)) & 31);
  }
  return text;
}

/**
 * Decodes base-32 of exactly `length` bytes. Throws FormatError on another length, a character outside the alphabet,
 * or nonzero padding bits: two spellings of one hash would be two keys for one object.
 */
export function decodeNix32(text: string, length: number): Uint8Array<ArrayBuffer> {
  if (text.length !== nix32Length(length)) {
    throw new FormatError(`expected ${nix32Length(length)} base-32 characters, got ${quote(text)}`);
  }
  const bytes = new Uint8Array(length);
  for (let digit = 0; digit < text.length; digit++) {
    const value = ALPHABET.indexOf(text.charAt(text.length - 1 - digit));
    if (value < 0) throw new FormatError(`${quote(text)} is not base-32 (the alphabet is ${ALPHABET})`);
    const index = (digit * 5) >> 3;
    const shifted = value << ((digit * 5) & 7);
    bytes[index] = (bytes[index] ?? 0) | (shifted & 0xff);
    const carry = shifted >> 8;
    if (index + 1 < length) bytes[index + 1] = carry;
    else if (carry !== 0) throw new FormatError(`${quote(text)} is not base-32 of ${length} bytes`);
  }
  return bytes;
}
