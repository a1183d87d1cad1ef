// The rows of NARs: what is known of the archives, and when a pusher last cared for them.
import { sha256Of } from "../../bucket/nar-object.ts";
import type { CatalogContext } from "../context.ts";

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
