// The table `nars`: one row for each NAR, made before its upload begins.
import { sha256Of } from "../../bucket/nar-object.ts";
import type { AnnouncedNar } from "../../contract/uploads.ts";
import { mergeFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import type { PublishedNar } from "../publication.ts";
import { changeNar, changeNars, NAR_FIGURE, type NarRow, noteDeletedNar } from "./figures.ts";
import { insert } from "./insert.ts";
import { factColumns, factsOf } from "./nar-facts.ts";
import { adoptNars, removeOldNar } from "./old-layout.ts";

/**
 * A NAR is about to be uploaded. The row stays if the upload fails: an object may have arrived. Returns when it was made,
 * in milliseconds since the epoch, if it was made now.
 */
export function saveAnnouncedNar(c: CatalogContext, { key, size, sha256 }: AnnouncedNar): number | undefined {
  adoptNars(c, [key]);
  const now = c.now();
  const made = insert(
    c,
    "nars",
    { key, size, sha256: sha256 ?? null, is_stored: 0, uploaded: now, seen: now, released: null },
    "ON CONFLICT DO NOTHING RETURNING key",
  ).toArray();
  if (made.length > 0) return now;
  c.sql.exec("UPDATE nars SET uploaded = ?1, seen = ?1 WHERE key = ?2", now, key);
  return undefined;
}

/**
 * Whether a NAR whose only announcement was at that time (milliseconds since the epoch) and whose upload has succeeded is
 * still in the bucket, for all that the catalog has done. As {@link isSameNar}, but no clock of another machine counts.
 */
export function isAsAnnounced(c: CatalogContext, key: string, announced: number): boolean {
  return (
    c.sql
      .exec(
        "SELECT 1 FROM nars WHERE key = ? AND uploaded = ? AND (is_stored = 1 OR (facts IS NULL AND path IS NULL))",
        ...[key, announced],
      )
      .toArray().length > 0
  );
}

/** Whether a NAR has been announced, and no path has had it yet. */
export function isNewNar(c: CatalogContext, key: string): boolean {
  return (
    c.sql.exec("SELECT 1 FROM nars WHERE key = ? AND path IS NULL AND released IS NULL", key).toArray()
      .length > 0
  );
}

/** A path (its hash part) has this NAR, which is therefore in the bucket unless it is elsewhere. */
export function savePublishedNar(c: CatalogContext, nar: PublishedNar, path: string): void {
  changeNar(c, nar.key, () => writePublishedNar(c, nar, path));
}

function writePublishedNar(c: CatalogContext, nar: PublishedNar, path: string): SqlStorageCursor<NarRow> {
  const {
    key,
    size,
    sha256,
    uploaded,
    known,
    isQueued = false,
    isElsewhere = false,
    queuedAt = c.now(),
  } = nar;
  return insert<NarRow>(
    c,
    "nars",
    {
      ...{ key, size, sha256, is_stored: isElsewhere ? 0 : 1, uploaded, seen: uploaded, released: null },
      ...factColumns(known && mergeFacts(factsOf(c, key), known)),
      queued: isQueued ? queuedAt : null,
      path,
    },
    `ON CONFLICT (key) DO UPDATE SET size = coalesce(nullif(excluded.size, 0), size),
       sha256 = coalesce(excluded.sha256, sha256), is_stored = max(is_stored, excluded.is_stored), released = NULL,
       facts = coalesce(excluded.facts, facts), facts_etag = coalesce(excluded.facts_etag, facts_etag),
       content = coalesce(excluded.content, content),
       queued = CASE WHEN excluded.queued IS NULL THEN queued WHEN queued IS NULL THEN excluded.queued ELSE queued + 1 END,
       path = coalesce(path, excluded.path)
     WHERE is_stored < excluded.is_stored OR path IS NULL OR released IS NOT NULL OR excluded.queued IS NOT NULL OR excluded.facts IS NOT NULL
       OR excluded.size NOT IN (0, size) OR excluded.sha256 IS NOT coalesce(sha256, excluded.sha256)
     RETURNING ${NAR_FIGURE}`,
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
  const write = () =>
    c.sql.exec(
      `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
     SELECT value ->> 'key', value ->> 'size', value ->> 'sha256', 1, value ->> 'uploaded', value ->> 'uploaded', NULL
     FROM json_each(?) WHERE true
     ON CONFLICT (key) DO UPDATE SET size = excluded.size, sha256 = coalesce(excluded.sha256, sha256), is_stored = 1,
       uploaded = max(uploaded, excluded.uploaded)
     WHERE is_stored = 0 OR size <> excluded.size OR coalesce(excluded.sha256 <> sha256, excluded.sha256 IS NOT sha256)`,
      JSON.stringify(rows),
    );
  changeNars(
    c,
    rows.map(({ key }) => key),
    write,
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
     AND (released IS NOT NULL OR queued IS NOT NULL OR path IS NULL)`,
    c.now(),
    key,
  );
}

/**
 * Whether the object of a NAR that was in the bucket, uploaded then (milliseconds since the epoch), is there still: its
 * deletion takes the row, which an announcement makes anew, or says that it is not stored.
 */
export function isSameNar(c: CatalogContext, key: string, uploaded: number): boolean {
  return (
    c.sql
      .exec(
        "SELECT 1 FROM nars WHERE key = ? AND (is_stored = 1 OR (uploaded <= ? AND facts IS NULL))",
        key,
        uploaded,
      )
      .toArray().length > 0
  );
}

/** When a pusher last announced a NAR or relied on it, in milliseconds since the epoch. */
export function lastUseOfNar(c: CatalogContext, key: string): number | undefined {
  return c.sql
    .exec<{ used: number }>("SELECT max(uploaded, seen) AS used FROM nars WHERE key = ?", key)
    .toArray()[0]?.used;
}

/** The first NAR after a key that a path has. */
export function nextReferredNar(c: CatalogContext, after: string): string | undefined {
  return c.sql
    .exec<{ key: string }>(
      "SELECT key FROM nars WHERE key > ? AND path IS NOT NULL ORDER BY key LIMIT 1",
      after,
    )
    .toArray()[0]?.key;
}

/** The object of a false NAR is to be deleted. The facts stay, so that it is not believed when it is sent again. */
export function keepFactsOnly(c: CatalogContext, key: string): void {
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET is_stored = 0, released = NULL, queued = NULL WHERE key = ? RETURNING ${NAR_FIGURE}`,
      key,
    ),
  );
}

export function deleteNarRow(c: CatalogContext, key: string): void {
  const [row] = c.sql.exec<NarRow>(`DELETE FROM nars WHERE key = ? RETURNING ${NAR_FIGURE}`, key).toArray();
  noteDeletedNar(c, row);
  removeOldNar(c, key);
}

/**
 * The object of a NAR is not in the bucket. Where a path has it, or a pusher has used it within `graceMs` and an upload
 * may be under way, the row stays and says that there is no object. True where the row went.
 */
export function forgetVanishedNar(c: CatalogContext, key: string, graceMs: number): boolean {
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET is_stored = 0 WHERE key = ? AND is_stored = 1 RETURNING ${NAR_FIGURE}`,
      key,
    ),
  );
  return (
    c.sql
      .exec(
        "DELETE FROM nars WHERE key = ? AND path IS NULL AND max(uploaded, seen) <= ? RETURNING key",
        key,
        c.now() - graceMs,
      )
      .toArray().length > 0
  );
}
