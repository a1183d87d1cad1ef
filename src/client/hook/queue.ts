// The daemon's queue on disk: store paths that are to be pushed, and when to try them again.
import { chmodSync, existsSync, renameSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { DatabaseSync } from "node:sqlite";
import { Failure, lineOf } from "../ground/failure.ts";
import { notesIn, removeNotes } from "./notes.ts";

export interface Queue {
  /** Moves the notes into the queue; a path that is queued already is not queued twice. */
  takeNotes(): void;
  /** Paths whose time has come, the oldest first; with `all`, regardless of their time. */
  due(limit: number, all?: boolean): string[];
  remove(paths: readonly string[]): void;
  /**
   * Notes a failed attempt. Returns the paths that have failed so often that they were removed; none where the failure is
   * the cache's or the token's (`isOutage`), which may last for days.
   */
  failed(paths: readonly string[], isOutage?: boolean): string[];
  /** Milliseconds until the next path is due; `undefined` for an empty queue. */
  nextDueMs(): number | undefined;
  size(): number;
  close(): void;
}

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS paths (
    path TEXT PRIMARY KEY,
    position INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL DEFAULT 0
  ) WITHOUT ROWID, STRICT;
  CREATE INDEX IF NOT EXISTS paths_by_position ON paths (position);
`;

const FIRST_DELAY_MS = 10_000;
const MAX_DELAY_MS = 3_600_000;
/** With the delays above, about half a day. */
const MAX_ATTEMPTS = 20;
/** An outage takes no more of them: its pauses grow to three quarters of an hour. */
const MAX_OUTAGE_ATTEMPTS = 9;

/**
 * Opens the queue in `dir`, for one process at a time. A damaged one is put aside, which `say` tells. Throws
 * {@link Failure} while another has it open.
 */
export function openQueue(
  dir: string,
  now: () => number = Date.now,
  say: (line: string) => void = () => undefined,
): Queue {
  const database = open(join(dir, "queue.sqlite"), say);
  const insert = database.prepare(
    "INSERT INTO paths (path, position) SELECT ?, coalesce(max(position), 0) + 1 FROM paths WHERE true ON CONFLICT DO NOTHING",
  );
  const select = database.prepare("SELECT path FROM paths WHERE due_at <= ? ORDER BY position LIMIT ?");
  const erase = database.prepare("DELETE FROM paths WHERE path = ?");
  const attempts = database.prepare("SELECT attempts FROM paths WHERE path = ?");
  const delay = database.prepare("UPDATE paths SET attempts = ?, due_at = ? WHERE path = ?");
  const first = database.prepare("SELECT min(due_at) AS at FROM paths");
  const count = database.prepare("SELECT count(*) AS paths FROM paths");

  const transaction = (work: () => void) => {
    database.exec("BEGIN IMMEDIATE");
    try {
      work();
      database.exec("COMMIT");
    } catch (error) {
      database.exec("ROLLBACK");
      throw error;
    }
  };
  return {
    takeNotes() {
      const notes = notesIn(dir);
      if (notes.length === 0) return;
      transaction(() => {
        for (const path of notes.flatMap(({ paths }) => paths)) insert.run(path);
      });
      // A kill before this leaves them to be taken again, which changes nothing.
      removeNotes(notes);
    },
    due: (limit, all = false) =>
      select.all(all ? Number.MAX_SAFE_INTEGER : now(), limit).map(({ path }) => String(path)),
    remove(paths) {
      transaction(() => {
        for (const path of paths) erase.run(path);
      });
    },
    failed(paths, isOutage = false) {
      const given: string[] = [];
      transaction(() => {
        for (const path of paths) {
          const before = Number(attempts.get(path)?.attempts ?? 0);
          const done = isOutage ? Math.max(before, Math.min(before + 1, MAX_OUTAGE_ATTEMPTS)) : before + 1;
          if (done >= MAX_ATTEMPTS) {
            erase.run(path);
            given.push(path);
          } else {
            delay.run(done, now() + Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 2 ** (done - 1)), path);
          }
        }
      });
      return given;
    },
    nextDueMs() {
      const at = first.get()?.at;
      return typeof at === "number" ? Math.max(0, at - now()) : undefined;
    },
    size: () => Number(count.get()?.paths),
    close: () => database.close(),
  };
}

function open(file: string, say: (line: string) => void): DatabaseSync {
  try {
    return opened(file);
  } catch (error) {
    if (/locked/.test(lineOf(error))) throw new Failure("failed", `another 'hook serve' has ${file} open`);
    if (!DAMAGED.test(lineOf(error))) throw new Failure("failed", `cannot open ${file}: ${lineOf(error)}`);
  }
  const aside = `${file}.damaged-${Date.now()}`;
  renameSync(file, aside);
  // It belongs to the damaged one, and would be played back into the new one.
  if (existsSync(`${file}-journal`)) renameSync(`${file}-journal`, `${aside}-journal`);
  say(`${file} was damaged and is now ${aside}: what was in it is not pushed`);
  return opened(file);
}

const DAMAGED = /not a database|malformed|damaged/;

function opened(file: string): DatabaseSync {
  // Imported, it would be loaded at each start of the client.
  const sqlite = process.getBuiltinModule("node:sqlite");
  const database = new sqlite.DatabaseSync(file);
  try {
    // The lock is held from the first write until the process ends, however it does.
    database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; ${SCHEMA}
      BEGIN EXCLUSIVE; COMMIT;`);
    const verdict = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    if (verdict !== "ok") throw new Error(`damaged: ${verdict}`);
    chmodSync(file, 0o600);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}
