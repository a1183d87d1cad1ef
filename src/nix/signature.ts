/** Signatures as a narinfo's `Sig` and a realisation write them: `name:base64`. */

import { decodeBase64 } from "./base64.ts";
import { FormatError, quote } from "./format-error.ts";

/** Of Ed25519 (RFC 8032, section 5.1.6). */
const SIGNATURE_BYTES = 64;

export interface Signature {
  /** Of the key, such as `cache.example.org-1`. */
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** Reads a signature. Throws FormatError: from Nix 2.34 a malformed one makes the whole narinfo an error. */
export function parseSignature(text: string): Signature {
  const colon = text.indexOf(":");
  const name = text.slice(0, Math.max(colon, 0));
  if (!isKeyName(name)) throw new FormatError(`${quote(text)} is not a signature like "<key name>:<base64>"`);
  return { name, bytes: decodeBase64(text.slice(colon + 1), SIGNATURE_BYTES) };
}

/**
 * The name of a key, in any script, as in Nix. Without a colon, which ends it, white space, which separates keys in
 * settings, and control characters.
 */
export const KEY_NAME = /^[!-9;-~\u00a1-\uffff]+$/;

export function isKeyName(text: string): boolean {
  return KEY_NAME.test(text);
}
