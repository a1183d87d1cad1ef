/** Hash functions that take their input in pieces, each algorithm of `Hash`. */

import { createHash, type Hash as NodeHash } from "node:crypto";
import { blake3 } from "@noble/hashes/blake3.js";
import type { HashAlgorithm } from "../nix/hash.ts";

export interface Hasher {
  update(bytes: Uint8Array): void;
  /** Ends the input. */
  digest(): Uint8Array;
  /** Another with the same input until now. */
  copy(): Hasher;
}

/** node:crypto is somewhat faster in workerd than crypto.DigestStream, and supports MD5. BLAKE3 is JavaScript. */
export function hasher(algorithm: HashAlgorithm): Hasher {
  return algorithm === "blake3" ? ofBlake3(blake3.create()) : ofNode(createHash(algorithm));
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

function ofBlake3(hash: ReturnType<typeof blake3.create>): Hasher {
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => hash.digest(),
    copy: () => ofBlake3(hash.clone()),
  };
}
