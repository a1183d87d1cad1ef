// The rows of NARs: what is known of the archives, and when a pusher last cared for them.
import { sha256Of } from "../../bucket/nar-object.ts";
import type { CatalogContext } from "../context.ts";
import { resolveKey } from "../publish/settle.ts";
import { isBeingDeleted } from "./intents.ts";

export interface AnnouncedNar {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Lower-case hex; absent where nobody has hashed it yet. */
  readonly sha256?: string;
}

/**
 * A pusher is about to upload a NAR. Noted before the bucket is touched, so that no object is ever in the bucket
 * that the catalog does not know; and it waits until a deletion of the same key is over. An upload that fails leaves
 * its row: it says that there may be an object, and nobody can be certain that there is none.
 */
export async function announceNar(c: CatalogContext, nar: AnnouncedNar): Promise<void> {
  await c.locks.run(nar.key, async () => {
    await resolveKey(c, nar.key);
    c.sql.exec(
      `INSERT INTO nars VALUES (?, ?, ?, 0, ?, ?, NULL)
       ON CONFLICT (key) DO UPDATE SET uploaded = excluded.uploaded, seen = excluded.seen`,
      nar.key,
      nar.size,
      nar.sha256 ?? null,
      c.now(),
      c.now(),
    );
  });
}

/**
 * A pusher is about to be told whether a NAR is here, and will rely on it. A deletion of it that is under way is over
 * before. Of a NAR that has a path nothing is written: its grace counts from when it loses the last.
 */
export async function touchNar(c: CatalogContext, key: string): Promise<void> {
  if (isBeingDeleted(c, key) || c.locks.isHeld(key)) await c.locks.run(key, () => resolveKey(c, key));
  c.sql.exec(
    `UPDATE nars SET seen = ? WHERE key = ?
     AND (released IS NOT NULL OR NOT EXISTS (SELECT 1 FROM paths WHERE nar = nars.key))`,
    c.now(),
    key,
  );
}

/**
 * Takes objects of the bucket into the rows. Only what a row does not say already is written: rows written are what
 * the platform counts and limits.
 */
export function importNars(c: CatalogContext, objects: readonly R2Object[]): void {
  const rows = objects.map((object) => ({
    key: object.key,
    size: object.size,
    sha256: sha256Of(object) ?? null,
    uploaded: object.uploaded.getTime(),
  }));
  c.sql.exec(
    `INSERT INTO nars
     SELECT value ->> 'key', value ->> 'size', value ->> 'sha256', 1, value ->> 'uploaded', value ->> 'uploaded', NULL
     FROM json_each(?) WHERE true
     ON CONFLICT (key) DO UPDATE SET size = excluded.size, sha256 = coalesce(excluded.sha256, sha256), is_stored = 1,
       uploaded = max(uploaded, excluded.uploaded)
     WHERE is_stored = 0 OR size <> excluded.size OR coalesce(excluded.sha256 <> sha256, excluded.sha256 IS NOT sha256)`,
    JSON.stringify(rows),
  );
}

/**
 * The object of a NAR is not in the bucket. Where a pusher has cared for it within `graceMs`, an upload may be under
 * way and rely on the row: it stays, and only says no longer that there is an object. True where the row went.
 */
export function forgetVanishedNar(c: CatalogContext, key: string, graceMs: number): boolean {
  c.sql.exec("UPDATE nars SET is_stored = 0 WHERE key = ? AND is_stored = 1", key);
  return (
    c.sql
      .exec(
        "DELETE FROM nars WHERE key = ? AND max(uploaded, seen) <= ? RETURNING key",
        key,
        c.now() - graceMs,
      )
      .toArray().length > 0
  );
}
