/**
 * A hash of content in which a store path's own hash part counts as zeros: a content address cannot depend on itself.
 * Rules: RewritingSink and HashModuloSink in Nix's libstore/references.cc.
 */

import { Buffer } from "node:buffer";
import type { HashAlgorithm } from "../nix/hash.ts";
import { type Hasher, hasher } from "./hasher.ts";

export interface ModuloHash {
  update(bytes: Uint8Array): void;
  /**
   * The hashes that Nix gives the content; one unless it refers to itself. Nix up to 2.16 appends the
   * position of each self-reference, since 2.17 it does not: both count.
   */
  digests(): Uint8Array[];
}

/** Most positions kept for the older form; content with more self-references gets only the newer. */
const MAX_POSITIONS = 2 ** 18;

/** `self` is the hash part of the content's own store path; without it this is a plain hash. */
export function moduloHash(algorithm: HashAlgorithm, self: string | undefined): ModuloHash {
  if (self === undefined) {
    const plain = hasher(algorithm);
    return { update: plain.update, digests: () => [plain.digest()] };
  }
  const pattern = Buffer.from(self, "latin1");
  const hash: Hasher = hasher(algorithm);
  const positions: number[] = [];
  let hasAllPositions = true;
  /** The last bytes, which may begin a self-reference that ends in the next chunk. */
  let rest: Uint8Array = new Uint8Array();
  /** Bytes before `rest`. */
  let offset = 0;

  return {
    update(bytes) {
      const content = Buffer.concat([rest, bytes]);
      for (let at = content.indexOf(pattern); at >= 0; at = content.indexOf(pattern, at + pattern.length)) {
        content.fill(0, at, at + pattern.length);
        if (positions.length < MAX_POSITIONS) positions.push(offset + at);
        else hasAllPositions = false;
      }
      const settled = Math.max(0, content.length - pattern.length + 1);
      hash.update(content.subarray(0, settled));
      rest = content.subarray(settled);
      offset += settled;
    },
    digests() {
      hash.update(rest);
      if (positions.length === 0 || !hasAllPositions) return [hash.digest()];
      const older = hash.copy();
      for (const position of positions) older.update(Buffer.from(`|${position}`));
      return [hash.digest(), older.digest()];
    },
  };
}
