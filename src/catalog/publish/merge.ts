// Merges a narinfo with the one that is published for the same store path.
import { equalHash } from "../../nix/hash.ts";
import type { NarInfo } from "../../nix/narinfo.ts";

export type Merge =
  /** The same build: the stored narinfo with what the new one adds. */
  | { readonly kind: "same"; readonly info: NarInfo }
  /** Another build of the same path, which is therefore not reproducible. The first one is kept. */
  | { readonly kind: "differs" };

/**
 * Merges a new narinfo into the stored one. URL and compression of a published path never change: clients keep a
 * narinfo for 30 days. Signatures are merged only where they sign the same: the fingerprint holds the hash, the
 * size and the references.
 */
export function mergeNarInfo(stored: NarInfo, incoming: NarInfo): Merge {
  if (!sameBuild(stored, incoming)) return { kind: "differs" };
  const info: NarInfo = {
    ...stored,
    signatures: [...new Set([...stored.signatures, ...incoming.signatures])],
    extra: [
      ...stored.extra,
      ...incoming.extra.filter(([key]) => !stored.extra.some(([known]) => known === key)),
    ],
  };
  if (info.deriver === undefined && incoming.deriver !== undefined) info.deriver = incoming.deriver;
  if (info.ca === undefined && incoming.ca !== undefined) info.ca = incoming.ca;
  return { kind: "same", info };
}

function sameBuild(a: NarInfo, b: NarInfo): boolean {
  return (
    equalHash(a.narHash, b.narHash) &&
    a.narSize === b.narSize &&
    [...a.references].sort().join() === [...b.references].sort().join()
  );
}
