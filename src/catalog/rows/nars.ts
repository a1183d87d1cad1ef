// The table `nars`: one row for each NAR, made before its upload begins.
import { sha256Of } from "../../bucket/nar-object.ts";
import type { AnnouncedNar } from "../../contract/uploads.ts";
import { contentState, type Facts, type KnownFacts, mergeFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";
import { INTENT_NARS } from "./intents.ts";
import { keptFacts } from "./kept-facts.ts";
import { adoptNars, removeOldNar } from "./old-layout.ts";
import { URGENT } from "./urgent-nars.ts";

/** A NAR is about to be uploaded. The row stays if the upload fails: an object may have arrived. */
export function saveAnnouncedNar(c: CatalogContext, { key, size, sha256 }: AnnouncedNar): void {
  adoptNars(c, [key]);
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

/** A path has this NAR, which is therefore in the bucket. */
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
  adoptNars(c, [key]);
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
       AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key)
       AND key NOT IN (${INTENT_NARS}) LIMIT ?2`,
      cutoff,
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

function factColumns(known: KnownFacts | undefined) {
  return {
    facts: known === undefined ? null : JSON.stringify(keptFacts(known.facts)),
    facts_etag: known?.etag ?? null,
    content: known === undefined ? null : contentState(known.facts),
  };
}

/** What is known of a NAR's content; `undefined` where nothing is. */
export function factsOf(c: CatalogContext, key: string): KnownFacts | undefined {
  const row = c.sql
    .exec<{ facts: string; etag: string }>(
      "SELECT facts, facts_etag AS etag FROM nars WHERE key = ? AND facts IS NOT NULL",
      key,
    )
    .toArray()[0];
  return row && { facts: JSON.parse(row.facts) as Facts, etag: row.etag };
}

export function saveFacts(c: CatalogContext, key: string, known: KnownFacts): void {
  const { facts, facts_etag, content } = factColumns(known);
  c.sql.exec(
    "UPDATE nars SET facts = ?, facts_etag = ?, content = ? WHERE key = ?",
    ...[facts, facts_etag, content, key],
  );
}

/** The object has been replaced: what is known is of the one before. */
export function forgetFacts(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET facts = NULL, facts_etag = NULL, content = NULL WHERE key = ?", key);
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

/** How many stored NARs there are of each state of their content. */
export function countContents(
  c: CatalogContext,
): Record<"verified" | "waiting" | "unverifiable" | "unknown", number> {
  return c.sql
    .exec<Record<"verified" | "waiting" | "unverifiable" | "unknown", number>>(
      `SELECT count(*) FILTER (WHERE content = 'verified') AS verified,
         count(*) FILTER (WHERE content IS NULL AND queued IS NOT NULL) AS waiting,
         count(*) FILTER (WHERE content = 'unverifiable') AS unverifiable,
         count(*) FILTER (WHERE content IS NULL AND queued IS NULL) AS unknown
       FROM nars WHERE is_stored = 1`,
    )
    .one();
}

/** When the NAR that has waited longest was queued, in milliseconds since the epoch. */
export function oldestQueued(c: CatalogContext): number | undefined {
  const { oldest } = c.sql
    .exec<{ oldest: number | null }>("SELECT min(queued) AS oldest FROM nars WHERE queued IS NOT NULL")
    .one();
  return oldest ?? undefined;
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

/**
 * One that is queued keeps its place: pushing it again and again must not postpone its reading. It is a millisecond
 * later, so that {@link unqueueNar} notices.
 */
export function queueNar(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET queued = coalesce(queued + 1, ?) WHERE key = ?", c.now(), key);
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
export function unqueueNar(c: CatalogContext, key: string, queued: number): void {
  c.sql.exec("UPDATE nars SET queued = NULL WHERE key = ? AND queued <= ?", key, queued);
}

/** The object of a false NAR is to be deleted. The facts stay, so that it is not believed when it is sent again. */
export function keepFactsOnly(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET is_stored = 0, released = NULL, queued = NULL WHERE key = ?", key);
}

export function deleteNarRow(c: CatalogContext, key: string): void {
  c.sql.exec("DELETE FROM nars WHERE key = ?", key);
  removeOldNar(c, key);
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
