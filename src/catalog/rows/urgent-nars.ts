// NARs that are to go as soon as nothing needs them, without a grace period: rows of the table `nars` that were released
// before all others, so that the next sweep deletes them. A pusher who relies on one gives it a grace period again.
import type { CatalogContext } from "../context.ts";

/** Their `released`, in milliseconds since the epoch. */
export const URGENT = 1;

/** Marks those of these NARs that have no path any more. Call it in the transaction that removes their paths. */
export function makeUrgent(c: CatalogContext, nars: readonly string[]): void {
  const marked = c.sql
    .exec(
      `UPDATE nars SET released = ?1, uploaded = ?1, seen = ?1
       WHERE released IS NOT NULL AND key IN (SELECT value FROM json_each(?2)) RETURNING key`,
      URGENT,
      JSON.stringify(nars),
    )
    .toArray();
  if (marked.length > 0) c.wakeForSweep("soon");
}

/** Begins the grace period of these NARs, also of those that were to go at once. */
export function restartGrace(c: CatalogContext, nars: readonly string[]): void {
  c.sql.exec(
    "UPDATE nars SET released = ? WHERE released IS NOT NULL AND key IN (SELECT value FROM json_each(?))",
    c.now(),
    JSON.stringify(nars),
  );
}

/** Whether a NAR has been announced again since it was marked. False if it is gone. */
export function isSentAgain(c: CatalogContext, nar: string): boolean {
  return (
    c.sql.exec("SELECT 1 FROM nars WHERE key = ? AND uploaded > ? LIMIT 1", nar, URGENT).toArray().length > 0
  );
}

/** Marked NARs, and those whose deletion has begun and not ended. At most `limit` of each. */
export function urgentNars(c: CatalogContext, limit: number): string[] {
  const keys = c.sql
    .exec<{ key: string }>(
      `SELECT key FROM (SELECT key FROM nars WHERE released = ?1 LIMIT ?2)
       UNION SELECT key FROM (SELECT key FROM pending WHERE kind = 'delete-nar' LIMIT ?2)`,
      URGENT,
      limit,
    )
    .toArray();
  return keys.map(({ key }) => key);
}

/** Whether a narinfo that has this NAR is still being deleted, so that clients may read it. */
export function isNarOfDeletion(c: CatalogContext, nar: string): boolean {
  return (
    c.sql
      .exec(
        "SELECT 1 FROM pending WHERE kind = 'delete-path' AND EXISTS (SELECT 1 FROM json_each(nars) WHERE value = ?) LIMIT 1",
        nar,
      )
      .toArray().length > 0
  );
}
