// Notes: files in a directory by which a hook tells the daemon what was built, whether the daemon runs or not.
import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";

export interface Note {
  readonly file: string;
  readonly paths: readonly string[];
}

const NAME = /^note-[0-9a-f]+$/;
/** A store path as Nix names it: its hash has 32 characters of Nix's base 32. */
const STORE_PATH = /^\/[^\s]+\/[0-9abcdfghijklmnpqrsvwxyz]{32}-[A-Za-z0-9+\-._?=]+$/;

/** The store paths in a text such as that of `OUT_PATHS`; anything else in it is left out. */
export function pathsIn(text: string | undefined): string[] {
  return (text ?? "").split(/\s+/).filter((word) => STORE_PATH.test(word));
}

/**
 * Writes a note. When this returns, neither a kill nor a crash of the machine loses it. `dir` may belong to another user:
 * no file that is there already is opened or replaced.
 */
export function note(dir: string, paths: readonly string[]): void {
  if (paths.length === 0) return;
  const id = randomBytes(16).toString("hex");
  const unfinished = join(dir, `.unfinished-${id}`);
  const file = openSync(unfinished, "wx", 0o644);
  try {
    writeSync(file, `${paths.join("\n")}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(unfinished, join(dir, `note-${id}`));
  syncDirectory(dir);
}

/** Those that can be read: another one must not keep the rest from being pushed. */
export function notesIn(dir: string): Note[] {
  return readdirSync(dir)
    .filter((name) => NAME.test(name))
    .flatMap((name) => {
      const file = join(dir, name);
      const text = readIfPossible(file);
      return text === undefined ? [] : [{ file, paths: pathsIn(text) }];
    });
}

function readIfPossible(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // Another user's, or a directory.
    return undefined;
  }
}

export function removeNotes(notes: readonly Note[]): void {
  for (const { file } of notes) rmSync(file, { force: true });
}

function syncDirectory(dir: string): void {
  const opened = openSync(dir, "r");
  try {
    fsyncSync(opened);
  } finally {
    closeSync(opened);
  }
}
