// The rows of pins and their revisions.
import type { Keep } from "../../contract/pins.ts";
import type { CatalogContext } from "../context.ts";
import { type Revision, untilOf } from "../pins/object.ts";

export interface PinRow extends Record<string, SqlStorageValue> {
  name: string;
  keep_revisions: number | null;
  keep_days: number | null;
  etag: string | null;
  is_written: number;
}

export function pinRow(c: CatalogContext, name: string): PinRow | undefined {
  return c.sql.exec<PinRow>("SELECT * FROM pins WHERE name = ?", name).toArray()[0];
}

/** Writes the rows of a pin. Call it in a transaction. */
export function savePin(c: CatalogContext, name: string, keep: Keep, revisions: readonly Revision[]): void {
  c.sql.exec(
    `INSERT INTO pins VALUES (?, ?, ?, NULL, 0) ON CONFLICT (name) DO UPDATE SET
       keep_revisions = excluded.keep_revisions, keep_days = excluded.keep_days, is_written = 0`,
    name,
    keep.keepRevisions ?? null,
    keep.keepDays ?? null,
  );
  c.sql.exec("DELETE FROM pin_revisions WHERE pin = ?", name);
  const kept = revisions
    .map((revision, index) => ({ ...revision, until: untilOf(revision, index, keep) }))
    .filter(({ until }) => until === undefined || until > c.now());
  for (const [index, { hash, name: pathName, pinned, pinnedBy, until = null }] of kept.entries()) {
    const number = kept.length - index;
    c.sql.exec(
      "INSERT INTO pin_revisions VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...[name, number, hash, pathName, pinned, pinnedBy, until],
    );
  }
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

/** Names of the pins in whose closure a path is; the path itself included. At most `limit`. */
export function pinsHolding(c: CatalogContext, hash: string, limit: number): string[] {
  return c.sql
    .exec<{ pin: string }>(
      `WITH RECURSIVE above (hash) AS (VALUES (?) UNION SELECT referrer FROM above JOIN refs ON reference = hash)
       SELECT DISTINCT pin FROM pin_revisions
       WHERE hash IN (SELECT hash FROM above) AND (until IS NULL OR until > ?) ORDER BY pin LIMIT ?`,
      hash,
      c.now(),
      limit,
    )
    .toArray()
    .map(({ pin }) => pin);
}
