// The tables `pins` and `pin_revisions`: names for paths that must stay.
import type { Keep } from "../../contract/pins.ts";
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

export interface KeptRevision extends Revision {
  /** Milliseconds since the epoch; `undefined`: not by time. */
  readonly until: number | undefined;
}

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

/** The revisions that have not expired, the newest first. */
export function revisionsOf(c: CatalogContext, name: string): KeptRevision[] {
  return c.sql
    .exec<{ hash: string; path_name: string; pinned: number; pinned_by: string; until: number | null }>(
      `SELECT hash, path_name, pinned, pinned_by, until FROM pin_revisions
       WHERE pin = ? AND (until IS NULL OR until > ?) ORDER BY number DESC`,
      name,
      c.now(),
    )
    .toArray()
    .map((row) => ({
      hash: row.hash,
      name: row.path_name,
      pinned: row.pinned,
      pinnedBy: row.pinned_by,
      until: row.until ?? undefined,
    }));
}

/** Writes the rows of a pin; its revisions come the newest first. Call it in a transaction. */
export function savePinRows(
  c: CatalogContext,
  name: string,
  keep: Keep,
  revisions: readonly KeptRevision[],
): void {
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
  deleteRevisions(c, name);
  for (const [index, revision] of revisions.entries()) {
    insert(c, "pin_revisions", {
      pin: name,
      number: revisions.length - index,
      hash: revision.hash,
      path_name: revision.name,
      pinned: revision.pinned,
      pinned_by: revision.pinnedBy,
      until: revision.until ?? null,
    });
  }
}

/** Records that the object in the bucket with this etag agrees with the rows. */
export function markPinWritten(c: CatalogContext, name: string, etag: string): void {
  c.sql.exec("UPDATE pins SET etag = ?, is_written = 1 WHERE name = ?", etag, name);
}

/** Removes the rows of a pin; false if there were none. Call it in a transaction. */
export function deletePinRows(c: CatalogContext, name: string): boolean {
  deleteRevisions(c, name);
  return c.sql.exec("DELETE FROM pins WHERE name = ? RETURNING name", name).toArray().length > 0;
}

function deleteRevisions(c: CatalogContext, name: string): void {
  c.sql.exec("DELETE FROM pin_revisions WHERE pin = ?", name);
}

/** Those of these paths that are pinned themselves. */
export function pinnedOf(c: CatalogContext, hashes: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ hash: string }>(
        `SELECT hash FROM pin_revisions
         WHERE hash IN (SELECT value FROM json_each(?)) AND (until IS NULL OR until > ?)`,
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
      `SELECT DISTINCT pin FROM pin_revisions
       WHERE hash IN (SELECT value FROM json_each(?)) AND (until IS NULL OR until > ?) ORDER BY pin LIMIT ?`,
      JSON.stringify(hashes),
      c.now(),
      limit,
    )
    .toArray()
    .map(({ pin }) => pin);
}
