/** Hashes with their algorithm, read in each of Nix's spellings and written in one. */

import { decodeBase64 } from "./base64.ts";
import { FormatError, quote } from "./format-error.ts";
import { decodeHex } from "./hex.ts";
import { decodeNix32, encodeNix32 } from "./nix32.ts";

export type HashAlgorithm = "md5" | "sha1" | "sha256" | "sha512" | "blake3";

export interface Hash {
  algorithm: HashAlgorithm;
  /** Of the algorithm's length: MD5 16, SHA-1 20, SHA-256 32, SHA-512 64, BLAKE3 32. */
  bytes: Uint8Array<ArrayBuffer>;
}

const BYTES: Record<HashAlgorithm, number> = { md5: 16, sha1: 20, sha256: 32, sha512: 64, blake3: 32 };

/**
 * Reads `sha256:<base16>`, `sha256:<nix32>`, `sha256:<base64>` or SRI `sha256-<base64>`; the length tells the
 * spellings apart, as in Nix's Hash::parseAnyPrefixed. Throws FormatError.
 */
export function parseHash(text: string): Hash {
  const match = /^(md5|sha1|sha256|sha512|blake3)([:-])(.*)$/s.exec(text);
  if (match === null) throw new FormatError(`${quote(text)} is not a hash like "sha256:<base-32>"`);
  const algorithm = match[1] as HashAlgorithm;
  const length = BYTES[algorithm];
  const digits = match[3] ?? "";
  try {
    if (match[2] === "-") return { algorithm, bytes: decodeBase64(digits, length) };
    if (digits.length === length * 2) return { algorithm, bytes: decodeBase16(digits) };
    if (digits.endsWith("=") || digits.length === Math.ceil(length / 3) * 4) {
      return { algorithm, bytes: decodeBase64(digits, length) };
    }
    return { algorithm, bytes: decodeNix32(digits, length) };
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
    throw new FormatError(`${quote(text)} is not a ${algorithm} hash: ${error.message}`);
  }
}

/** The same where Nix accepts only SHA-256. Throws FormatError on another algorithm too. */
export function parseSha256(text: string): Hash {
  const hash = parseHash(text);
  if (hash.algorithm !== "sha256") throw new FormatError(`${quote(text)} must be a sha256 hash`);
  return hash;
}

/** Writes `sha256:<nix32>`, the spelling of narinfos and fingerprints. */
export function formatHash(hash: Hash): string {
  return `${hash.algorithm}:${encodeNix32(hash.bytes)}`;
}

export function equalHash(a: Hash, b: Hash): boolean {
  return a.algorithm === b.algorithm && a.bytes.every((byte, index) => byte === b.bytes[index]);
}

function decodeBase16(text: string): Uint8Array<ArrayBuffer> {
  if (!/^[0-9a-f]*$/i.test(text)) throw new FormatError("a character is not hexadecimal");
  return decodeHex(text);
}
