/** Hash functions that take their input in pieces, each algorithm of `Hash`. */

import { createHash, type Hash as NodeHash } from "node:crypto";
import type { HashAlgorithm } from "../nix/hash.ts";
import { blake3 } from "./blake3.ts";

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the input. */
  digest(): Uint8Array;
  /** Another with the same input until now. */
  copy(): Hasher;
}

/** node:crypto is somewhat faster in workerd than crypto.DigestStream, and supports MD5. BLAKE3 is JavaScript. */
export function hasher(algorithm: HashAlgorithm): Hasher {
  return algorithm === "blake3" ? blake3() : ofNode(createHash(algorithm));
}

function ofNode(hash: NodeHash): Hasher {
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.digest(),
    copy: () => ofNode(hash.copy()),
  };
}
