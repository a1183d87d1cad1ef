/**
 * The grammar of a NAR: which strings follow which, and the calls to a visitor of the tree.
 *
 * It accepts the NARs that Nix 2.34.8 restores (`parse` in libutil/archive.cc). Versions before 2.26 are laxer about
 * the order of fields and entries, but no version writes another order.
 */

import { isFalse, isUnverifiable } from "./refusal.ts";

/** Visits a tree in the order of the NAR. Names and targets are copies; `contents` are valid during the call only. */
export interface NarVisitor {
  /** An entry of a directory begins: the next node is its own. The root has no entry. */
  entry?(name: Uint8Array): void;
  directory?(): void;
  leaveDirectory?(): void;
  /** `size` bytes of contents follow, of which the first stands at `narOffset`. */
  file?(size: number, isExecutable: boolean, narOffset: number): void;
  contents?(bytes: Uint8Array): void;
  leaveFile?(): void;
  symlink?(target: Uint8Array): void;
}

/** The next input of the grammar: a string of at most this many bytes, or the contents of a file. */
export type Wanted = number | { readonly isExecutable: boolean };

/** Of Nix since 2.34.7; Linux has the same limits. Bytes. */
const MAX_NAME_BYTES = 255;
export const MAX_TARGET_BYTES = 4095;
/** Of Nix since 2.34.7. */
const MAX_DEPTH = 64;
const MAX_TAG_BYTES = 32;
const MAGIC = "nix-archive-1";

/**
 * Yields the input that it needs next, and is resumed with the string, which is valid until the next yield. Throws
 * Refusal.
 */
export type Grammar = Generator<Wanted, void, Uint8Array>;

export function* narGrammar(visitors: readonly NarVisitor[]): Grammar {
  if (tag(yield MAGIC.length) !== MAGIC) throw isFalse("it is not a NAR");
  yield* node(visitors, 0);
}

function* node(visitors: readonly NarVisitor[], depth: number): Grammar {
  // Older versions wrote and read such trees, so the file may be right.
  if (depth === MAX_DEPTH) throw isUnverifiable(`the NAR is nested deeper than ${MAX_DEPTH} directories`);
  expect("(", yield MAX_TAG_BYTES);
  expect("type", yield MAX_TAG_BYTES);
  switch (tag(yield MAX_TAG_BYTES)) {
    case "regular":
      yield* file(visitors);
      break;
    case "directory":
      yield* directory(visitors, depth);
      break;
    case "symlink":
      yield* symlink(visitors);
      break;
    default:
      throw isFalse("the NAR has a node of an unknown type");
  }
}

function* file(visitors: readonly NarVisitor[]): Grammar {
  let next = tag(yield MAX_TAG_BYTES);
  const isExecutable = next === "executable";
  if (isExecutable) {
    expect("", yield 0);
    next = tag(yield MAX_TAG_BYTES);
  }
  if (next !== "contents") throw isFalse("the NAR has a file without contents");
  yield { isExecutable };
  for (const visitor of visitors) visitor.leaveFile?.();
  expect(")", yield MAX_TAG_BYTES);
}

function* directory(visitors: readonly NarVisitor[], depth: number): Grammar {
  for (const visitor of visitors) visitor.directory?.();
  let previous = new Uint8Array();
  for (let next = tag(yield MAX_TAG_BYTES); next !== ")"; next = tag(yield MAX_TAG_BYTES)) {
    if (next !== "entry") throw isFalse("the NAR has a directory with something other than entries");
    expect("(", yield MAX_TAG_BYTES);
    expect("name", yield MAX_TAG_BYTES);
    const name = (yield MAX_NAME_BYTES).slice();
    if (!isName(name)) throw isFalse("the NAR has a file name that no file can have");
    if (compareBytes(name, previous) <= 0) throw isFalse("the NAR has a directory that is not sorted");
    previous = name;
    expect("node", yield MAX_TAG_BYTES);
    for (const visitor of visitors) visitor.entry?.(name);
    yield* node(visitors, depth + 1);
    expect(")", yield MAX_TAG_BYTES);
  }
  for (const visitor of visitors) visitor.leaveDirectory?.();
}

function* symlink(visitors: readonly NarVisitor[]): Grammar {
  expect("target", yield MAX_TAG_BYTES);
  const target = (yield MAX_TARGET_BYTES).slice();
  if (target.length === 0 || target.includes(0)) throw isFalse("the NAR has an impossible symlink");
  for (const visitor of visitors) visitor.symlink?.(target);
  expect(")", yield MAX_TAG_BYTES);
}

function expect(wanted: string, token: Uint8Array): void {
  if (tag(token) !== wanted) throw isFalse(`the NAR lacks a "${wanted}" where one must be`);
}

/** One character for each byte, which is exact for comparing. */
function tag(token: Uint8Array): string {
  return String.fromCharCode(...token);
}

function isName(name: Uint8Array): boolean {
  if (name.length <= 2 && ["", ".", ".."].includes(tag(name))) return false;
  return !name.includes(0) && !name.includes("/".charCodeAt(0));
}

/** The order of bytes, as std::string has it. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index++) {
    const difference = (a[index] ?? 0) - (b[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
