// The table `nars`: one row for each NAR, made before its upload begins.
import { sha256Of } from "../../bucket/nar-object.ts";
import type { AnnouncedNar } from "../../contract/uploads.ts";
import { type KnownFacts, mergeFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";
import { factColumns, factsOf } from "./nar-facts.ts";

/** A NAR is about to be uploaded. The row stays if the upload fails: an object may have arrived. */
export function saveAnnouncedNar(c: CatalogContext, { key, size, sha256 }: AnnouncedNar): void {
  const now = c.now();
  insert(
    c,
    "nars",
    { key, size, sha256: sha256 ?? null, is_stored: 0, uploaded: now, seen: now, released: null },
    "ON CONFLICT (key) DO UPDATE SET uploaded = excluded.uploaded, seen = excluded.seen",
  );
}

export interface PublishedNar {
  readonly key: string;
  /** Bytes; 0 where the narinfo does not say. */
  readonly size: number;
  /** Lower-case hex; `null` where it is not known for certain. */
  readonly sha256: string | null;
  /** Milliseconds since the epoch. */
  readonly uploaded: number;
  /** What has just been found out of its content. */
  readonly known?: KnownFacts;
  /** Whether its content is still to be read. */
  readonly isQueued?: boolean;
}

/** A path has this NAR, which is therefore in the bucket. One that is queued keeps its place, as in queueNar. */
export function savePublishedNar(c: CatalogContext, nar: PublishedNar): void {
  const { key, size, sha256, uploaded, known, isQueued = false } = nar;
  insert(
    c,
    "nars",
    {
      ...{ key, size, sha256, is_stored: 1, uploaded, seen: uploaded, released: null },
      ...factColumns(known && mergeFacts(factsOf(c, key), known)),
      queued: isQueued ? c.now() : null,
    },
    `ON CONFLICT (key) DO UPDATE SET size = coalesce(nullif(excluded.size, 0), size),
       sha256 = coalesce(excluded.sha256, sha256), is_stored = 1, released = NULL,
       facts = coalesce(excluded.facts, facts), facts_etag = coalesce(excluded.facts_etag, facts_etag),
       content = coalesce(excluded.content, content),
       queued = CASE WHEN excluded.queued IS NULL THEN queued WHEN queued IS NULL THEN excluded.queued ELSE queued + 1 END`,
  );
}

/**
 * Takes objects of the bucket into the rows. Only what a row does not say already is written: rows written are billed
 * and limited.
 */
export function importNars(c: CatalogContext, objects: readonly R2Object[]): void {
  const rows = objects.map((object) => ({
    key: object.key,
    size: object.size,
    sha256: sha256Of(object) ?? null,
    uploaded: object.uploaded.getTime(),
  }));
  c.sql.exec(
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
     SELECT value ->> 'key', value ->> 'size', value ->> 'sha256', 1, value ->> 'uploaded', value ->> 'uploaded', NULL
     FROM json_each(?) WHERE true
     ON CONFLICT (key) DO UPDATE SET size = excluded.size, sha256 = coalesce(excluded.sha256, sha256), is_stored = 1,
       uploaded = max(uploaded, excluded.uploaded)
     WHERE is_stored = 0 OR size <> excluded.size OR coalesce(excluded.sha256 <> sha256, excluded.sha256 IS NOT sha256)`,
    JSON.stringify(rows),
  );
}

/**
 * A pusher relies on a NAR. Nothing is written while a path has it, because its grace period begins when it loses the
 * last; unless it is queued, because it may turn out false and go with that path.
 */
export function saveNarSeen(c: CatalogContext, key: string): void {
  c.sql.exec(
    `UPDATE nars SET seen = ? WHERE key = ?
     AND (released IS NOT NULL OR queued IS NOT NULL OR NOT EXISTS (SELECT 1 FROM paths WHERE nar = nars.key))`,
    c.now(),
    key,
  );
}

/** When a pusher last announced a NAR or relied on it, in milliseconds since the epoch. */
export function lastUseOfNar(c: CatalogContext, key: string): number | undefined {
  return c.sql
    .exec<{ used: number }>("SELECT max(uploaded, seen) AS used FROM nars WHERE key = ?", key)
    .toArray()[0]?.used;
}

/** Begins the grace period of a NAR if no path has it any more. */
export function releaseNar(c: CatalogContext, nar: string): void {
  const released = c.sql
    .exec(
      "UPDATE nars SET released = ? WHERE key = ? AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key) RETURNING key",
      c.now(),
      nar,
    )
    .toArray();
  if (released.length > 0) c.wakeForSweep();
}

/** Begins the grace period of those of these NARs again that have no path. */
export function postponeRelease(c: CatalogContext, nars: readonly string[]): void {
  c.sql.exec(
    "UPDATE nars SET released = ? WHERE released IS NOT NULL AND key IN (SELECT value FROM json_each(?))",
    c.now(),
    JSON.stringify(nars),
  );
}

/**
 * Keys of NARs without a path that were last used before `cutoff` (milliseconds since the epoch) and are not among
 * `needed`. At most `limit`.
 */
export function sweepableNars(
  c: CatalogContext,
  cutoff: number,
  needed: ReadonlySet<string>,
  limit: number,
): string[] {
  return c.sql
    .exec<{ key: string }>(
      // `released <= ?1` is redundant; it lets SQLite use the index.
      `SELECT key FROM nars WHERE released <= ?1 AND max(released, uploaded, seen) <= ?1
       AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key)
       AND key NOT IN (SELECT value FROM json_each(?2)) LIMIT ?3`,
      cutoff,
      JSON.stringify([...needed]),
      limit,
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

/** The first NAR after a key that a path has. */
export function nextReferredNar(c: CatalogContext, after: string): string | undefined {
  return c.sql
    .exec<{ key: string }>(
      `SELECT key FROM nars WHERE key > ? AND EXISTS (SELECT 1 FROM paths WHERE nar = nars.key)
       ORDER BY key LIMIT 1`,
      after,
    )
    .toArray()[0]?.key;
}

/** The object of a false NAR is to be deleted. The facts stay, so that it is not believed when it is sent again. */
export function keepFactsOnly(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET is_stored = 0, released = NULL, queued = NULL WHERE key = ?", key);
}

export function deleteNarRow(c: CatalogContext, key: string): void {
  c.sql.exec("DELETE FROM nars WHERE key = ?", key);
}

/**
 * The object of a NAR is not in the bucket. Where a pusher has used it within `graceMs`, an upload may be under way and
 * rely on the row, which then only says that there is no object. True where the row went.
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
