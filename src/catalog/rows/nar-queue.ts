// The columns `queued` and `attempts` of the table `nars`: which NARs are still to be read, and what became of trying.
import type { CatalogContext } from "../context.ts";
import { changeNar, NAR_FIGURE, type NarRow } from "./figures.ts";

export interface QueuedNar extends Record<string, SqlStorageValue> {
  key: string;
  /** Milliseconds since the epoch. */
  queued: number;
  attempts: number;
}

/** The NAR to read next: that of the newest push. */
export function newestQueued(c: CatalogContext): QueuedNar | undefined {
  return c.sql
    .exec<QueuedNar>(
      "SELECT key, queued, attempts FROM nars WHERE queued IS NOT NULL ORDER BY queued DESC LIMIT 1",
    )
    .toArray()[0];
}

/** Whether a NAR is still to be read. */
export function isNarQueued(c: CatalogContext, key: string): boolean {
  return c.sql.exec("SELECT 1 FROM nars WHERE key = ? AND queued IS NOT NULL", key).toArray().length > 0;
}

/** When the NAR that has waited longest was queued, in milliseconds since the epoch. */
export function oldestQueued(c: CatalogContext): number | undefined {
  const { oldest } = c.sql
    .exec<{ oldest: number | null }>("SELECT min(queued) AS oldest FROM nars WHERE queued IS NOT NULL")
    .one();
  return oldest ?? undefined;
}

/**
 * One that is queued keeps its place: pushing it again and again must not postpone its reading. It is a millisecond
 * later, so that {@link dequeueNar} notices.
 */
export function queueNar(c: CatalogContext, key: string): void {
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET queued = coalesce(queued + 1, ?) WHERE key = ? RETURNING ${NAR_FIGURE}`,
      c.now(),
      key,
    ),
  );
}

/** Puts a queued NAR behind all others. */
export function deferNar(c: CatalogContext, key: string): void {
  c.sql.exec(
    `UPDATE nars SET queued = (SELECT min(queued) FROM nars WHERE queued IS NOT NULL) - 1
     WHERE key = ? AND queued IS NOT NULL`,
    key,
  );
}

/** It has been read, unless it was queued again since `queued` (milliseconds since the epoch). */
export function dequeueNar(c: CatalogContext, key: string, queued: number): void {
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET queued = NULL WHERE key = ? AND queued <= ? RETURNING ${NAR_FIGURE}`,
      key,
      queued,
    ),
  );
}

/** Readings of a NAR that have begun and not ended. */
export function attemptsOf(c: CatalogContext, key: string): number {
  const row = c.sql.exec<{ attempts: number }>("SELECT attempts FROM nars WHERE key = ?", key).toArray()[0];
  return row?.attempts ?? 0;
}

export function beginAttempt(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET attempts = attempts + 1 WHERE key = ?", key);
}

export function endAttempt(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET attempts = 0 WHERE key = ?", key);
}
