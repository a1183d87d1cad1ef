/**
 * Strict base64 (RFC 4648, section 4): one spelling for each value, padding included. `Uint8Array.fromBase64` and `toBase64`
 * come with Node 25; our programs run on 22.18, too.
 */

import { FormatError } from "./format-error.ts";

/**
 * Decodes padded base64 of exactly `length` bytes. Throws FormatError on anything else, without repeating the text:
 * it may be a secret key.
 */
export function decodeBase64(text: string, length: number): Uint8Array<ArrayBuffer> {
  if (text.length === Math.ceil(length / 3) * 4) {
    const binary = decoded(text);
    // atob takes white space and any last bits.
    if (binary?.length === length && btoa(binary) === text) {
      return Uint8Array.from(binary, (character) => character.charCodeAt(0));
    }
  }
  throw new FormatError(`expected ${length} bytes in padded base64`);
}

/** For short values, such as hashes and keys. */
export function encodeBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function decoded(text: string): string | undefined {
  try {
    return atob(text);
  } catch {
    // Not base64.
    return undefined;
  }
}
