// Released NARs: those that have lost their last path, in their grace period or after it.
import type { CatalogContext } from "../context.ts";
import { NARS_OF_DELETIONS } from "./intents.ts";
import { adoptNars } from "./old-layout.ts";
import { narsBeingPublished } from "./publications.ts";
import { URGENT } from "./urgent-nars.ts";

/** Begins the grace period of those of these NARs again that have no path and are not to go at once. */
export function postponeRelease(c: CatalogContext, nars: readonly string[]): void {
  adoptNars(c, nars);
  c.sql.exec(
    "UPDATE nars SET released = ? WHERE released > ? AND key IN (SELECT value FROM json_each(?))",
    c.now(),
    URGENT,
    JSON.stringify(nars),
  );
}

/**
 * Keys of NARs without a path that were last used before `cutoff` (milliseconds since the epoch) and that no intent needs.
 * At most `limit`.
 */
export function sweepableNars(c: CatalogContext, cutoff: number, limit: number): string[] {
  return c.sql
    .exec<{ key: string }>(
      // `released <= ?1` is redundant; it lets SQLite use the index.
      `SELECT key FROM nars WHERE released <= ?1 AND max(released, uploaded, seen) <= ?1
       AND path IS NULL AND key NOT IN (${NARS_OF_DELETIONS})
       AND key NOT IN (SELECT value FROM json_each(?3)) LIMIT ?2`,
      cutoff,
      limit,
      JSON.stringify([...narsBeingPublished(c)]),
    )
    .toArray()
    .map((row) => row.key);
}

/**
 * The beginning of the grace period that ends first, in milliseconds since the epoch. Of the NARs released after
 * `cutoff` only the first is looked at.
 */
export function nextGraceStart(c: CatalogContext, cutoff: number): number | undefined {
  const { waiting, later } = c.sql
    .exec<{ waiting: number | null; later: number | null }>(
      `SELECT (SELECT min(max(released, uploaded, seen)) FROM nars WHERE released <= ?1) AS waiting,
         (SELECT min(released) FROM nars WHERE released > ?1) AS later`,
      cutoff,
    )
    .one();
  const times = [waiting, later].filter((time) => time !== null);
  return times.length === 0 ? undefined : Math.min(...times);
}
