/** Strict base64 (RFC 4648, section 4): one spelling for each value, padding included. */

import { FormatError } from "./format-error.ts";

/**
 * Decodes padded base64 of exactly `length` bytes. Throws FormatError on anything else, without repeating the text:
 * it may be a secret key.
 */
export function decodeBase64(text: string, length: number): Uint8Array<ArrayBuffer> {
  // fromBase64 skips white space; a hash or a key has none.
  if (text.length === Math.ceil(length / 3) * 4 && !/\s/.test(text)) {
    try {
      const bytes = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
      if (bytes.length === length) return bytes;
    } catch {
      // A SyntaxError would quote the input.
    }
  }
  throw new FormatError(`expected ${length} bytes in padded base64`);
}
