/** Merging a realisation that is pushed again: the first stays, and only signatures are added. */

import type { Realisation } from "./realisation.ts";
import { mergeSignatures, type SignatureBound } from "./signature-merge.ts";

/** The result of a later push of a realisation. */
export type RealisationMerge =
  /** The stored one with the signatures of both; `changed` if that differs from the stored one. */
  | { outcome: "same"; realisation: Realisation; changed: boolean }
  /** Another output path: the stored one stays as it is. */
  | { outcome: "differs" };

/**
 * Merges a later push into the stored realisation of the same key: it adds signatures and nothing else. Dependent
 * realisations and unknown fields stay as stored.
 */
export function mergeRealisation(
  stored: Realisation,
  incoming: Realisation,
  bound: SignatureBound,
): RealisationMerge {
  if (stored.outPath !== incoming.outPath) return { outcome: "differs" };
  const signatures = mergeSignatures([...stored.signatures, ...incoming.signatures], bound);
  return {
    outcome: "same",
    realisation: { ...stored, signatures },
    changed: signatures.join() !== stored.signatures.join(),
  };
}
