// Merges a narinfo with the one that is published for the same store path.
import { equalHash } from "../../nix/hash.ts";
import type { NarInfo } from "../../nix/narinfo.ts";

export type Merge =
  /** The same build: the stored narinfo with what the new one adds. */
  | { readonly kind: "same"; readonly info: NarInfo }
  /** Another build of the same path, which is therefore not reproducible. The first one is kept. */
  | { readonly kind: "differs" };

/**
 * Merges a new narinfo into the stored one: only signatures are added, and only where they sign the same. All other
 * fields stay as they were pushed first: any pusher could else change them, and clients keep a narinfo for 30 days.
 */
export function mergeNarInfo(stored: NarInfo, incoming: NarInfo): Merge {
  if (!sameBuild(stored, incoming)) return { kind: "differs" };
  const signatures = [...new Set([...stored.signatures, ...incoming.signatures])];
  return { kind: "same", info: { ...stored, signatures } };
}

function sameBuild(a: NarInfo, b: NarInfo): boolean {
  return (
    equalHash(a.narHash, b.narHash) &&
    a.narSize === b.narSize &&
    [...a.references].sort().join() === [...b.references].sort().join()
  );
}
