/** Git's hash of a tree, computed from the stream of its NAR. Rules: dump and dumpTree in Nix's libutil/git.cc. */

import { Buffer } from "node:buffer";
import { type Hasher, hasher } from "./hasher.ts";
import { compareBytes, type NarVisitor } from "./nar-grammar.ts";

export interface GitVisitor extends NarVisitor {
  /** Once the NAR has ended. Undefined if the directories were too large. */
  finish(): Uint8Array | undefined;
}

interface Entry {
  name: Uint8Array;
  mode: "40000" | "100644" | "100755" | "120000";
  hash: Uint8Array;
}

/**
 * Entries of all open directories together: a tree can be hashed only when all its entries are known. About 300 bytes
 * each.
 */
const MAX_ENTRIES = 2 ** 15;
const SLASH = Buffer.from("/");
const NUL = Buffer.from([0]);

export function gitVisitor(algorithm: "sha1" | "sha256"): GitVisitor {
  const directories: { name: Uint8Array; entries: Entry[] }[] = [];
  /** Of the entry that begins. */
  let name: Uint8Array = new Uint8Array();
  /** Entries of all open directories; above {@link MAX_ENTRIES} none are kept. */
  let held = 0;
  let blob: Hasher | undefined;
  let mode: Entry["mode"] = "100644";
  let root: Uint8Array | undefined;

  return {
    entry(bytes) {
      name = bytes;
    },
    directory() {
      directories.push({ name, entries: [] });
    },
    leaveDirectory() {
      const directory = directories.pop();
      if (directory === undefined) return;
      name = directory.name;
      if (held > MAX_ENTRIES) return;
      held -= directory.entries.length;
      add("40000", treeHash(directory.entries));
    },
    file(size, isExecutable) {
      mode = isExecutable ? "100755" : "100644";
      blob = begin("blob", size);
    },
    contents(bytes) {
      blob?.update(bytes);
    },
    leaveFile() {
      if (blob !== undefined) add(mode, blob.digest());
    },
    symlink(target) {
      const link = begin("blob", target.length);
      link.update(target);
      add("120000", link.digest());
    },
    finish: () => root,
  };

  function begin(type: string, size: number): Hasher {
    const hash = hasher(algorithm);
    hash.update(Buffer.from(`${type} ${size}\0`));
    return hash;
  }

  function add(mode: Entry["mode"], hash: Uint8Array): void {
    const directory = directories.at(-1);
    if (directory === undefined) {
      root = hash;
      return;
    }
    if (held > MAX_ENTRIES) return;
    held++;
    if (held <= MAX_ENTRIES) directory.entries.push({ name, mode, hash });
    else for (const { entries } of directories) entries.length = 0;
  }

  function treeHash(entries: readonly Entry[]): Uint8Array {
    // git orders a directory as if its name ended in a slash.
    const ordered = entries
      .map((entry) => ({
        ...entry,
        key: entry.mode === "40000" ? Buffer.concat([entry.name, SLASH]) : entry.name,
      }))
      .sort((a, b) => compareBytes(a.key, b.key));
    const tree = Buffer.concat(
      ordered.flatMap((entry) => [Buffer.from(`${entry.mode} `), entry.name, NUL, entry.hash]),
    );
    const hash = begin("tree", tree.length);
    hash.update(tree);
    return hash.digest();
  }
}
