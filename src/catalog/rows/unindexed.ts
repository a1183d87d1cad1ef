// The table `unindexed`, scratch of a check: narinfos in the bucket without a row in `paths`. Their NARs count as
// referenced, and their references are checked like those of indexed paths.
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

export interface UnindexedRow {
  readonly hash: string;
  /** The base name if it can be read, else the hash part. */
  readonly name: string;
  /** `null` if it cannot be read. */
  readonly nar: string | null;
  /** Empty if the narinfo has none. */
  readonly fileHash: string;
  /** Bytes; 0 if the narinfo has none. */
  readonly fileSize: number;
  /** Base names, without the path itself. */
  readonly references: readonly string[];
}

/** Records a narinfo until the check ends; call it in a transaction. */
export function saveUnindexed(c: CatalogContext, row: UnindexedRow): void {
  const { hash, name, nar, fileHash, fileSize, references } = row;
  insert(
    c,
    "unindexed",
    { hash, name, nar, file_hash: fileHash, file_size: fileSize, refs: JSON.stringify(references) },
    `ON CONFLICT (hash) DO UPDATE SET name = excluded.name, nar = excluded.nar, file_hash = excluded.file_hash,
       file_size = excluded.file_size, refs = excluded.refs`,
  );
}

export function forget(c: CatalogContext, hash: string): void {
  c.sql.exec("DELETE FROM unindexed WHERE hash = ?", hash);
}

/** Deletes as many. Returns whether there may be more. */
export function forgetSome(c: CatalogContext, limit: number): boolean {
  const deleted = c.sql
    .exec("DELETE FROM unindexed WHERE hash IN (SELECT hash FROM unindexed LIMIT ?) RETURNING 1", limit)
    .toArray();
  return deleted.length === limit;
}

export function isNarOfUnindexed(c: CatalogContext, nar: string): boolean {
  return c.sql.exec("SELECT 1 FROM unindexed WHERE nar = ? LIMIT 1", nar).toArray().length > 0;
}

/** Whether the NAR of an unindexed narinfo is unknown: it may be any. */
export function isAnyNarUnknown(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM unindexed WHERE nar IS NULL LIMIT 1").toArray().length > 0;
}

/** Base names of unindexed paths that refer to a path. */
export function unindexedReferrers(c: CatalogContext, hash: string): string[] {
  return c.sql
    .exec<{ name: string }>(
      `SELECT name FROM unindexed
       WHERE EXISTS (SELECT 1 FROM json_each(refs) WHERE substr(value, 1, 32) = ?) ORDER BY name`,
      hash,
    )
    .toArray()
    .map((row) => row.name);
}

/** The base name by which an unindexed path refers to a path. */
export function nameFromUnindexed(c: CatalogContext, hash: string): string | undefined {
  return c.sql
    .exec<{ value: string }>(
      "SELECT value FROM unindexed, json_each(unindexed.refs) WHERE substr(value, 1, 32) = ? LIMIT 1",
      hash,
    )
    .toArray()[0]?.value;
}
