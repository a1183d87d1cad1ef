// The tables `pins` and `pin_revisions`: names for paths that must stay.
import { type Keep, MAX_REVISIONS } from "../../contract/pins.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

export interface Revision {
  readonly hash: string;
  /** Of the store path, after the dash. */
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly pinned: number;
  /** The name of the credential. */
  readonly pinnedBy: string;
}

export interface NumberedRevision extends Revision {
  /** The newest has the highest. */
  readonly number: number;
}

const DAY_MS = 24 * 3600 * 1000;

/**
 * SQL that holds for a row of `pin_revisions` (its alias) while its pin keeps it; `now` is SQL for the time. It depends on
 * the pin's rule and newest revision, so that a new revision is one row.
 */
export const KEPT = (revision: string, now: string) =>
  `EXISTS (SELECT 1 FROM pins WHERE pins.name = ${revision}.pin
     AND (SELECT max(number) FROM pin_revisions AS own WHERE own.pin = ${revision}.pin) - ${revision}.number < CASE
       WHEN ${revision}.pinned + keep_days * ${DAY_MS} > ${now} THEN ${MAX_REVISIONS}
       ELSE coalesce(keep_revisions, CASE WHEN keep_days IS NULL THEN ${MAX_REVISIONS} ELSE 1 END) END)`;

export interface PinRow extends Record<string, SqlStorageValue> {
  name: string;
  keep_revisions: number | null;
  keep_days: number | null;
  etag: string | null;
  is_written: number;
}

export function pinRow(c: CatalogContext, name: string): PinRow | undefined {
  return c.sql
    .exec<PinRow>("SELECT name, keep_revisions, keep_days, etag, is_written FROM pins WHERE name = ?", name)
    .toArray()[0];
}

/** Pins at which counting them ends. */
const MAX_COUNTED = 10_000;

/** How many there are, up to {@link MAX_COUNTED}. Counted once after a change. */
export function countPins(c: CatalogContext): number {
  c.pinCount.known ??= c.sql
    .exec<{ count: number }>("SELECT count(*) AS count FROM (SELECT 1 FROM pins LIMIT ?)", MAX_COUNTED)
    .one().count;
  return c.pinCount.known;
}

export function pinNames(c: CatalogContext, after: string, limit: number): string[] {
  return c.sql
    .exec<{ name: string }>("SELECT name FROM pins WHERE name > ? ORDER BY name LIMIT ?", after, limit)
    .toArray()
    .map(({ name }) => name);
}

/** Names of pins with an outdated object in the bucket. At most `limit`. */
export function unwrittenPins(c: CatalogContext, limit: number): string[] {
  return c.sql
    .exec<{ name: string }>("SELECT name FROM pins WHERE is_written = 0 LIMIT ?", limit)
    .toArray()
    .map(({ name }) => name);
}

/** The revisions of a pin after the number `before`, the newest first, whether they are kept or not. At most `limit`. */
export function revisionsOf(
  c: CatalogContext,
  name: string,
  limit: number,
  before = Number.MAX_SAFE_INTEGER,
): NumberedRevision[] {
  return c.sql
    .exec<{ number: number; hash: string; path_name: string; pinned: number; pinned_by: string }>(
      `SELECT number, hash, path_name, pinned, pinned_by FROM pin_revisions
       WHERE pin = ? AND number < ? ORDER BY number DESC LIMIT ?`,
      ...[name, before, limit],
    )
    .toArray()
    .map((row) => ({
      number: row.number,
      hash: row.hash,
      name: row.path_name,
      pinned: row.pinned,
      pinnedBy: row.pinned_by,
    }));
}

/** Sets the rule of a pin, whose object in the bucket is outdated then. */
export function savePinRow(c: CatalogContext, name: string, keep: Keep): void {
  delete c.pinCount.known;
  insert(
    c,
    "pins",
    {
      name,
      keep_revisions: keep.keepRevisions ?? null,
      keep_days: keep.keepDays ?? null,
      etag: null,
      is_written: 0,
    },
    `ON CONFLICT (name) DO UPDATE SET keep_revisions = excluded.keep_revisions, keep_days = excluded.keep_days,
       is_written = 0`,
  );
}

export function addRevision(c: CatalogContext, pin: string, number: number, revision: Revision): void {
  insert(c, "pin_revisions", {
    ...{ pin, number, hash: revision.hash, path_name: revision.name },
    ...{ pinned: revision.pinned, pinned_by: revision.pinnedBy },
  });
}

/**
 * Deletes the oldest revisions of a pin that are kept no longer, at most `limit`. Those that are kept stay numbered without
 * a gap.
 */
export function dropRevisions(c: CatalogContext, pin: string, limit: number): void {
  const oldest = c.sql
    .exec<{ number: number; is_kept: number }>(
      `SELECT number, ${KEPT("old", "?3")} AS is_kept FROM pin_revisions AS old WHERE pin = ?1 ORDER BY number LIMIT ?2`,
      ...[pin, limit, c.now()],
    )
    .toArray();
  const end = oldest.findIndex(({ is_kept }) => is_kept === 1);
  const gone = (end < 0 ? oldest : oldest.slice(0, end)).at(-1);
  if (gone === undefined) return;
  c.sql.exec("DELETE FROM pin_revisions WHERE pin = ? AND number <= ?", pin, gone.number);
}

/** Records that the object in the bucket with this etag agrees with the rows. */
export function markPinWritten(c: CatalogContext, name: string, etag: string): void {
  c.sql.exec("UPDATE pins SET etag = ?, is_written = 1 WHERE name = ?", etag, name);
}

/** Removes the rows of a pin; false if there were none. Call it in a transaction. */
export function deletePinRows(c: CatalogContext, name: string): boolean {
  delete c.pinCount.known;
  forgetRevisions(c, name);
  return c.sql.exec("DELETE FROM pins WHERE name = ? RETURNING name", name).toArray().length > 0;
}

export function forgetRevisions(c: CatalogContext, name: string): void {
  c.sql.exec("DELETE FROM pin_revisions WHERE pin = ?", name);
}

/** Those of these paths that are pinned themselves. */
export function pinnedOf(c: CatalogContext, hashes: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ hash: string }>(
        `SELECT hash FROM pin_revisions AS pin WHERE hash IN (SELECT value FROM json_each(?1)) AND ${KEPT("pin", "?2")}`,
        JSON.stringify(hashes),
        c.now(),
      )
      .toArray()
      .map((row) => row.hash),
  );
}

/** Names of the pins that name one of these paths. At most `limit`. */
export function pinsNaming(c: CatalogContext, hashes: readonly string[], limit: number): string[] {
  return c.sql
    .exec<{ pin: string }>(
      `SELECT DISTINCT pin FROM pin_revisions AS revision
       WHERE hash IN (SELECT value FROM json_each(?1)) AND ${KEPT("revision", "?2")} ORDER BY pin LIMIT ?3`,
      JSON.stringify(hashes),
      c.now(),
      limit,
    )
    .toArray()
    .map(({ pin }) => pin);
}

/** Rows that {@link pinsOfPath} looks at: a path may be pinned any number of times. */
const MAX_REVISIONS_OF_PATH = 1000;

/** Names of pins that keep a path. At most `limit`. */
export function pinsOfPath(c: CatalogContext, hash: string, limit: number): string[] {
  return c.sql
    .exec<{ pin: string }>(
      `SELECT DISTINCT pin FROM
         (SELECT pin, number, pinned FROM pin_revisions WHERE hash = ?1 LIMIT ${MAX_REVISIONS_OF_PATH}) AS revision
       WHERE ${KEPT("revision", "?2")} ORDER BY pin LIMIT ?3`,
      ...[hash, c.now(), limit],
    )
    .toArray()
    .map(({ pin }) => pin);
}
