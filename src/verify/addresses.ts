/** Checks content addresses against a NAR stream, as Nix does when it imports a path. */

import { parseContentAddress } from "../nix/content-address.ts";
import { gitVisitor } from "./git-hash.ts";
import { hasher } from "./hasher.ts";
import { moduloHash } from "./modulo-hash.ts";
import type { NarVisitor } from "./nar-grammar.ts";

export interface AddressClaim {
  /** A narinfo's `CA`. */
  ca: string;
  /**
   * The hash part of its store path, 32 characters, where the path refers to itself. Without a self-reference the same
   * characters are content like any other.
   */
  self?: string;
}

export interface AddressCheck {
  visitor?: NarVisitor;
  /** Receives the NAR itself. */
  update?(bytes: Uint8Array): void;
  /** The result, once the NAR has ended; undefined if it cannot be determined. */
  result(): boolean | undefined;
}

/** Rules: LocalStore::addToStore in Nix's libstore. */
export function addressCheck({ ca, self }: AddressClaim): AddressCheck {
  const address = parseContentAddress(ca);
  if (address === undefined) return { result: () => undefined };
  const { method, hash } = address;
  const isRight = (digest: Uint8Array) => digest.every((byte, index) => byte === hash.bytes[index]);
  switch (method) {
    case "nar": {
      const nar = moduloHash(hash.algorithm, self);
      return { update: nar.update, result: () => nar.digests().some(isRight) };
    }
    case "git": {
      const visitor = gitVisitor(hash.algorithm === "sha1" ? "sha1" : "sha256");
      return {
        visitor,
        result: () => {
          const digest = visitor.finish();
          return digest && isRight(digest);
        },
      };
    }
    case "flat":
    case "text": {
      const contents = hasher(hash.algorithm);
      let isFile = true;
      const noFile = () => {
        isFile = false;
      };
      // The executable bit is ignored: Nix 2.8's `nix store add-file` keeps it, and no version refuses it.
      const visitor = { contents: contents.update, directory: noFile, symlink: noFile };
      return { visitor, result: () => isFile && isRight(contents.digest()) };
    }
  }
}
