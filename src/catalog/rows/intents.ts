// The table `pending`, the intent log. Every bucket change is recorded here first; until the record is cleared, its NARs
// and references cannot be deleted.
import { isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";

/** `delete-companions`: of an owner that is gone, and had more than one deletion takes along. */
export type IntentKind = "publish" | "delete-path" | "delete-nar" | "delete-pin" | "delete-companions";

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

export interface Needs {
  /** NAR keys that must not be deleted meanwhile. */
  readonly nars: readonly string[];
  /** Hash parts of paths that must not be deleted meanwhile. */
  readonly references: readonly string[];
}

export interface Intent extends Partial<Needs> {
  readonly kind: IntentKind;
  /** The hash part of a path, or the key of a NAR or a pin. */
  readonly key: string;
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

/** Makes an intent protect other NARs and paths than before. */
export function setNeeds(c: CatalogContext, sequence: number, needs: Needs): void {
  c.sql.exec(
    "UPDATE pending SET nars = ?, refs = ? WHERE sequence = ?",
    JSON.stringify(needs.nars),
    JSON.stringify(needs.references),
    sequence,
  );
}

/** When the oldest intent to publish was recorded, in milliseconds since the epoch. */
export function oldestPublication(c: CatalogContext): number | undefined {
  const { oldest } = c.sql
    .exec<{ oldest: number | null }>("SELECT min(begun) AS oldest FROM pending WHERE kind = 'publish'")
    .one();
  return oldest ?? undefined;
}

export function clearIntent(c: CatalogContext, sequence: number): void {
  c.unsentIntents.delete(sequence);
  c.sql.exec("DELETE FROM pending WHERE sequence = ?", sequence);
}

/**
 * Notes that a publication's put has failed. If the bucket has responded with the failure, the intent can be resolved
 * at once.
 */
export function failIntent(c: CatalogContext, sequence: number, error: unknown): void {
  if (isAnswered(error)) restartTimeout(c, sequence, 0);
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

/** Those of these paths that any intent protects or changes. */
export function intentPathsAmong(c: CatalogContext, hashes: readonly string[]): Set<string> {
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

/** Hash parts of paths that refer to one and whose publication is in flight or not resolved. */
export function publishingReferrers(c: CatalogContext, hash: string): string[] {
  return intentsReferringTo(c, "publish", [hash]);
}

/**
 * Hash parts of paths that refer to one of these and whose deletion has not ended: clients may still read their narinfos.
 */
export function deletingReferrers(c: CatalogContext, ...hashes: readonly string[]): string[] {
  return intentsReferringTo(c, "delete-path", hashes);
}

function intentsReferringTo(c: CatalogContext, kind: IntentKind, hashes: readonly string[]): string[] {
  return c.sql
    .exec<{ key: string }>(
      `SELECT DISTINCT pending.key FROM pending, json_each(pending.refs)
       WHERE kind = ? AND value <> pending.key AND value IN (SELECT value FROM json_each(?))`,
      kind,
      JSON.stringify(hashes),
    )
    .toArray()
    .map((row) => row.key);
}

/** Whether a publication, in flight or not resolved, relies on a NAR. */
export function isNarBeingPublished(c: CatalogContext, nar: string): boolean {
  return (
    c.sql
      .exec(
        "SELECT 1 FROM pending WHERE kind = 'publish' AND EXISTS (SELECT 1 FROM json_each(nars) WHERE value = ?) LIMIT 1",
        nar,
      )
      .toArray().length > 0
  );
}

/**
 * SQL for the keys of NARs of publications, and of deletions that have not ended: clients may still read those narinfos.
 */
export const INTENT_NARS =
  "SELECT value FROM pending, json_each(pending.nars) WHERE kind IN ('publish', 'delete-path')";

/** Those of these NARs on which a publication, in flight or not resolved, relies. */
export function narsBeingPublished(c: CatalogContext, nars: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ nar: string }>(
        `SELECT DISTINCT value AS nar FROM pending, json_each(pending.nars)
         WHERE kind = 'publish' AND value IN (SELECT value FROM json_each(?))`,
        JSON.stringify(nars),
      )
      .toArray()
      .map((row) => row.nar),
  );
}

/** How many deletions are in flight or were left by a crash, if not more than `limit`. */
export function countDeletions(c: CatalogContext, limit: number): number {
  return c.sql
    .exec<{ count: number }>(
      "SELECT count(*) AS count FROM (SELECT 1 FROM pending WHERE kind <> 'publish' LIMIT ?)",
      limit,
    )
    .one().count;
}

/** Whether a deletion of any NAR is in flight, or was left by a crash. */
export function isAnyNarBeingDeleted(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM pending WHERE kind = 'delete-nar' LIMIT 1").toArray().length > 0;
}

/** Whether any operation on a key is in flight, or was left by a crash. */
export function hasIntent(c: CatalogContext, key: string): boolean {
  return intentsOf(c, [key]).length > 0;
}

/** Whether a deletion of a key is in flight, or was left by a crash. */
export function isBeingDeleted(c: CatalogContext, key: string): boolean {
  return deletionIntents(c, [key]).length > 0;
}

/**
 * Resolves when those publications of these paths have ended that began before the one with this sequence number.
 * Cannot deadlock: a publication waits only for earlier ones.
 */
export async function earlierPublications(
  c: CatalogContext,
  sequence: number,
  hashes: readonly string[],
): Promise<void> {
  const earlier = c.sql
    .exec<{ sequence: number }>(
      `SELECT sequence FROM pending WHERE kind = 'publish' AND sequence < ?
       AND key IN (SELECT value FROM json_each(?))`,
      sequence,
      JSON.stringify(hashes),
    )
    .toArray();
  await Promise.all(earlier.map((row) => c.publications.get(row.sequence)));
}

/** Intents to delete these keys. */
export function deletionIntents(c: CatalogContext, keys: readonly string[]): IntentRow[] {
  return intentsOf(c, keys).filter((row) => row.kind !== "publish");
}

/** Intents on these keys. */
export function intentsOf(c: CatalogContext, keys: readonly string[]): IntentRow[] {
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
