/** Merging the signatures of several pushes of a narinfo or realisation. */

import { FormatError } from "./format-error.ts";
import { parseSignature } from "./signature.ts";

export interface SignatureBound {
  /** How many may stay. */
  max: number;
  /** Signatures that stay before any other, such as those of trusted keys. They count towards `max`, too. */
  preferred: (signature: string) => boolean;
}

/**
 * The signatures (`name:base64`) that stay, in the order given: no malformed ones, no duplicates, at most `max`.
 * Preferred ones are chosen first, then the others, each in their order: later signatures never displace earlier
 * ones.
 */
export function mergeSignatures(signatures: Iterable<string>, { max, preferred }: SignatureBound): string[] {
  const readable = [...new Set(signatures)].filter(isSignature);
  const kept = new Set(
    [...readable.filter(preferred), ...readable.filter((signature) => !preferred(signature))].slice(0, max),
  );
  // Keep the order, so that a push that adds nothing changes nothing.
  return readable.filter((signature) => kept.has(signature));
}

function isSignature(text: string): boolean {
  try {
    parseSignature(text);
    return true;
  } catch (error) {
    if (error instanceof FormatError) return false;
    throw error;
  }
}
