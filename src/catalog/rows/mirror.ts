// The tables `mirror_queue` and `mirrored`: paths of upstreams that are to be copied, and the bytes of each day.
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

const DAY_MS = 24 * 3600 * 1000;

/** Paths that wait at most: what is not taken in is asked for again. */
const MAX_QUEUED = 10_000;

export interface QueuedMirror extends Record<string, SqlStorageValue> {
  hash: string;
  /** The URL of the upstream. */
  upstream: string;
  /** Copies that were begun and did not end. */
  attempts: number;
  /** Not before; milliseconds since the epoch. */
  due: number;
  /** The id of the multipart upload that is under way. */
  upload: string | null;
}

/** True where it was not there yet. */
export function queueMirror(c: CatalogContext, hash: string, upstream: string): boolean {
  if (c.sql.exec("SELECT 1 FROM mirror_queue WHERE hash = ?", hash).toArray().length > 0) return false;
  // Counted once: each of many readers may bring another path.
  c.mirrorQueue.length ??= queueLength(c);
  if (c.mirrorQueue.length >= MAX_QUEUED) return false;
  insert(c, "mirror_queue", {
    ...{ hash, upstream, queued: c.now(), attempts: 0, due: c.now(), upload: null },
  });
  c.mirrorQueue.length++;
  return true;
}

function queueLength(c: CatalogContext): number {
  return c.sql.exec<{ total: number }>("SELECT count(*) AS total FROM mirror_queue").one().total;
}

/** The path that is due first. */
export function nextMirror(c: CatalogContext): QueuedMirror | undefined {
  return c.sql
    .exec<QueuedMirror>(
      "SELECT hash, upstream, attempts, due, upload FROM mirror_queue ORDER BY due, hash LIMIT 1",
    )
    .toArray()[0];
}

export function beginMirrorAttempt(c: CatalogContext, hash: string): void {
  c.sql.exec("UPDATE mirror_queue SET attempts = attempts + 1 WHERE hash = ?", hash);
}

/** The copy goes on at that time (milliseconds since the epoch); the attempt counts as one that did not fail. */
export function continueMirror(c: CatalogContext, hash: string, due: number): void {
  c.sql.exec("UPDATE mirror_queue SET attempts = max(attempts - 1, 0), due = ? WHERE hash = ?", due, hash);
}

/** It is tried again at that time (milliseconds since the epoch). */
export function postponeMirror(c: CatalogContext, hash: string, due: number): void {
  c.sql.exec("UPDATE mirror_queue SET due = ? WHERE hash = ?", due, hash);
}

export function saveMirrorUpload(c: CatalogContext, hash: string, upload: string): void {
  c.sql.exec("UPDATE mirror_queue SET upload = ? WHERE hash = ?", upload, hash);
}

export function forgetMirror(c: CatalogContext, hash: string): void {
  const { rowsWritten } = c.sql.exec("DELETE FROM mirror_queue WHERE hash = ?", hash);
  if (rowsWritten > 0 && c.mirrorQueue.length !== undefined) c.mirrorQueue.length--;
}

/** Bytes copied from an upstream on this day (UTC). */
export function mirroredToday(c: CatalogContext, upstream: string): number {
  const row = c.sql
    .exec<{ bytes: number }>(
      "SELECT bytes FROM mirrored WHERE upstream = ? AND day = ?",
      upstream,
      Math.floor(c.now() / DAY_MS),
    )
    .toArray()[0];
  return row?.bytes ?? 0;
}

/** Bytes are about to be copied: they count also where the copy fails. Earlier days are forgotten. */
export function countMirrored(c: CatalogContext, upstream: string, bytes: number): void {
  const day = Math.floor(c.now() / DAY_MS);
  c.sql.exec("DELETE FROM mirrored WHERE day <> ?", day);
  insert(
    c,
    "mirrored",
    { upstream, day, bytes },
    "ON CONFLICT (upstream, day) DO UPDATE SET bytes = bytes + excluded.bytes",
  );
}

/** When the next day begins, in milliseconds since the epoch. */
export function tomorrow(c: Pick<CatalogContext, "now">): number {
  return (Math.floor(c.now() / DAY_MS) + 1) * DAY_MS;
}
