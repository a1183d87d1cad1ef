// The table `pending`, the intent log. Every deletion is recorded here first; until the record is cleared, its NARs and
// references cannot be deleted. Publications have a table of their own.
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

/** `delete-companions`: of an owner that is gone, and had more than one deletion takes along. */
export type IntentKind = "delete-path" | "delete-nar" | "delete-pin" | "delete-companions";

export interface IntentRow extends Record<string, SqlStorageValue> {
  /** Grows with every intent; the primary key. */
  sequence: number;
  key: string;
  kind: IntentKind;
  /** JSON. */
  nars: string;
  /** JSON. */
  objects: string;
  /** Milliseconds since the epoch. */
  begun: number;
}

export interface Intent {
  readonly kind: IntentKind;
  /** The hash part of a path, or the key of a NAR or a pin. */
  readonly key: string;
  /** NAR keys that must not be deleted meanwhile. */
  readonly nars?: readonly string[];
  /** Hash parts of paths that must not be deleted meanwhile. */
  readonly references?: readonly string[];
  /** Of a deletion: keys of other objects that go with it. */
  readonly objects?: readonly string[];
}

/**
 * Records an intent and returns its sequence number. It is durable before any request leaves the object: the object's
 * output gate holds them back.
 */
export function recordIntent(c: CatalogContext, intent: Intent): number {
  const { kind, key, nars = [], references = [], objects = [] } = intent;
  const row = {
    key,
    kind,
    nars: JSON.stringify(nars),
    refs: JSON.stringify(references),
    begun: c.now(),
    objects: JSON.stringify(objects),
  };
  const { sequence } = insert<{ sequence: number }>(c, "pending", row, "RETURNING sequence").one();
  c.unsentIntents.add(sequence);
  return sequence;
}

export function clearIntent(c: CatalogContext, sequence: number): void {
  c.unsentIntents.delete(sequence);
  c.sql.exec("DELETE FROM pending WHERE sequence = ?", sequence);
}

/** Restarts the timeout within which the bucket may still act, from `begun` (milliseconds since the epoch). */
export function restartTimeout(c: CatalogContext, sequence: number, begun: number): void {
  c.sql.exec("UPDATE pending SET begun = ? WHERE sequence = ?", begun, sequence);
}

/** The key of a deletion, in flight or left by a crash, that takes this object along. */
export function deletionIntentWith(c: CatalogContext, object: string): string | undefined {
  return c.sql
    .exec<{ key: string }>(
      "SELECT key FROM pending WHERE EXISTS (SELECT 1 FROM json_each(objects) WHERE value = ?) LIMIT 1",
      object,
    )
    .toArray()[0]?.key;
}

/** Those of these paths that a deletion protects or changes. */
export function deletedAmong(c: CatalogContext, hashes: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ hash: string }>(
        `SELECT key AS hash FROM pending WHERE key IN (SELECT value FROM json_each(?1))
         UNION SELECT value FROM pending, json_each(pending.refs) WHERE value IN (SELECT value FROM json_each(?1))`,
        JSON.stringify(hashes),
      )
      .toArray()
      .map((row) => row.hash),
  );
}

/**
 * Hash parts of paths that refer to one of these and whose deletion has not ended: clients may still read their narinfos.
 */
export function deletingReferrers(c: CatalogContext, ...hashes: readonly string[]): string[] {
  return c.sql
    .exec<{ key: string }>(
      `SELECT DISTINCT pending.key FROM pending, json_each(pending.refs)
       WHERE kind = 'delete-path' AND value <> pending.key AND value IN (SELECT value FROM json_each(?))`,
      JSON.stringify(hashes),
    )
    .toArray()
    .map((row) => row.key);
}

/** SQL for the keys of NARs of paths whose deletion has not ended: clients may still read their narinfos. */
export const NARS_OF_DELETIONS =
  "SELECT value FROM pending, json_each(pending.nars) WHERE kind = 'delete-path'";

/** How many deletions are in flight or were left by a crash, if not more than `limit`. */
export function countDeletions(c: CatalogContext, limit: number): number {
  return c.sql
    .exec<{ count: number }>("SELECT count(*) AS count FROM (SELECT 1 FROM pending LIMIT ?)", limit)
    .one().count;
}

/** Whether a deletion of any NAR is in flight, or was left by a crash. */
export function isAnyNarBeingDeleted(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM pending WHERE kind = 'delete-nar' LIMIT 1").toArray().length > 0;
}

/** Whether a deletion of a key is in flight, or was left by a crash. */
export function isBeingDeleted(c: CatalogContext, key: string): boolean {
  return deletionIntents(c, [key]).length > 0;
}

/** Intents to delete these keys. */
export function deletionIntents(c: CatalogContext, keys: readonly string[]): IntentRow[] {
  return c.sql
    .exec<IntentRow>(
      "SELECT sequence, key, kind, nars, objects, begun FROM pending WHERE key IN (SELECT value FROM json_each(?))",
      JSON.stringify(keys),
    )
    .toArray();
}

/** An intent without its lists. */
export interface IntentHead extends Record<string, SqlStorageValue> {
  sequence: number;
  key: string;
  kind: IntentKind;
  begun: number;
  /** Characters of the list of objects. */
  size: number;
}

/** The intents after this sequence number, the oldest first. At most `limit`. */
export function nextIntents(c: CatalogContext, after: number, limit: number): IntentHead[] {
  return c.sql
    .exec<IntentHead>(
      `SELECT sequence, key, kind, begun, length(objects) AS size FROM pending
       WHERE sequence > ? ORDER BY sequence LIMIT ?`,
      after,
      limit,
    )
    .toArray();
}
