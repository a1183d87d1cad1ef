/** The listing of a NAR (`HASHPART.ls`), in the bytes that Nix writes: no spaces, keys in alphabetical order. */

import type { NarVisitor } from "./nar-grammar.ts";

export interface ListingVisitor extends NarVisitor {
  /**
   * The JSON, once the NAR has ended. Undefined if it would be longer than {@link MAX_LISTING_LENGTH}, or if a name or
   * target is not UTF-8: JSON has no spelling for it, and Nix since 2.26 writes no listing either.
   */
  finish(): string | undefined;
}

/** UTF-16 units. A hundred thousand files have about 10 MB, far more than any path of nixpkgs. */
const MAX_LISTING_LENGTH = 8 * 1024 * 1024;

/** `anyName`: what is not UTF-8 is spelt with replacement characters, to be shown rather than kept. */
export function listingVisitor(anyName = false): ListingVisitor {
  const decoder = new TextDecoder("utf-8", { fatal: !anyName, ignoreBOM: true });
  let text: string | undefined = "";
  /** Whether the directory that is open has entries already. */
  let hasEntries = false;

  return {
    entry(name) {
      write(() => `${hasEntries ? "," : ""}${quoted(name)}:`);
    },
    directory() {
      write(() => '{"entries":{');
      hasEntries = false;
    },
    leaveDirectory() {
      write(() => '},"type":"directory"}');
      hasEntries = true;
    },
    file(size, isExecutable, narOffset) {
      write(() => {
        const executable = isExecutable ? '"executable":true,' : "";
        return `{${executable}"narOffset":${narOffset},"size":${size},"type":"regular"}`;
      });
      hasEntries = true;
    },
    symlink(target) {
      write(() => `{"target":${quoted(target)},"type":"symlink"}`);
      hasEntries = true;
    },
    finish() {
      return text === undefined ? undefined : `{"root":${text},"version":1}`;
    },
  };

  function write(make: () => string): void {
    if (text === undefined) return;
    try {
      text += make();
      if (text.length > MAX_LISTING_LENGTH) text = undefined;
    } catch (error) {
      // Not UTF-8.
      if (!(error instanceof TypeError)) throw error;
      text = undefined;
    }
  }

  function quoted(bytes: Uint8Array): string {
    return JSON.stringify(decoder.decode(bytes));
  }
}
