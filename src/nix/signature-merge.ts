/** Which signatures stay where those of several pushes come together: on a narinfo, on a realisation. */

import { FormatError } from "./format-error.ts";
import { parseSignature } from "./signature.ts";

export interface SignatureBound {
  /** How many may stay. */
  max: number;
  /** Signatures that stay before any other, such as those of trusted keys. They count towards `max`, too. */
  preferred: (signature: string) => boolean;
}

/**
 * The signatures (`name:base64`) that stay, in the order given: without malformed ones, without duplicates, and at most
 * `max`. Preferred ones are chosen first, then the others, each by their order: who was first is not pushed out.
 */
export function mergeSignatures(signatures: Iterable<string>, { max, preferred }: SignatureBound): string[] {
  const readable = [...new Set(signatures)].filter(isSignature);
  const kept = new Set(
    [...readable.filter(preferred), ...readable.filter((signature) => !preferred(signature))].slice(0, max),
  );
  // The order stays so that a push which adds nothing changes nothing.
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
