// Intentions, written down before the bucket is touched: what is pending protects its references and NARs from
// deletion. What an operation left pending that died or got no answer is settled in settle.ts.
import { isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";

export type IntentKind = "publish" | "delete-path" | "delete-nar" | "delete-pin";

export interface IntentRow extends Record<string, SqlStorageValue> {
  /** Grows with every intention; it names the row. */
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
 * Writes an intention down and returns its sequence number. Durable before anything else leaves the object: its
 * output gate sees to that.
 */
export function recordIntent(c: CatalogContext, intention: Intent): number {
  const { nars = [], references = [], objects = [] } = intention;
  const { sequence } = c.sql
    .exec<{ sequence: number }>(
      "INSERT INTO pending (key, kind, nars, refs, begun, objects) VALUES (?, ?, ?, ?, ?, ?) RETURNING sequence",
      intention.key,
      intention.kind,
      JSON.stringify(nars),
      JSON.stringify(references),
      c.now(),
      JSON.stringify(objects),
    )
    .one();
  c.unsentIntents.add(sequence);
  return sequence;
}

/** Makes an intention protect other NARs and paths than before. */
export function setNeeds(c: CatalogContext, sequence: number, needs: Needs): void {
  c.sql.exec(
    "UPDATE pending SET nars = ?, refs = ? WHERE sequence = ?",
    JSON.stringify(needs.nars),
    JSON.stringify(needs.references),
    sequence,
  );
}

export function clearIntent(c: CatalogContext, sequence: number): void {
  c.unsentIntents.delete(sequence);
  c.sql.exec("DELETE FROM pending WHERE sequence = ?", sequence);
}

/** A publication's put has failed: if the bucket has said so, it can be settled at once. */
export function failIntent(c: CatalogContext, sequence: number, error: unknown): void {
  if (isAnswered(error)) restartTimeout(c, sequence, 0);
}

/** Counts the time in which the bucket may still do it from `begun` (milliseconds since the epoch). */
export function restartTimeout(c: CatalogContext, sequence: number, begun: number): void {
  c.sql.exec("UPDATE pending SET begun = ? WHERE sequence = ?", begun, sequence);
}

/** What is being deleted, or was when a process died, and takes this object with it. */
export function deletionIntentWith(c: CatalogContext, object: string): string | undefined {
  return c.sql
    .exec<{ key: string }>(
      "SELECT key FROM pending WHERE EXISTS (SELECT 1 FROM json_each(objects) WHERE value = ?) LIMIT 1",
      object,
    )
    .toArray()[0]?.key;
}

/** Hash parts of what any intention protects, or is itself about. */
export function intentPaths(c: CatalogContext): Set<string> {
  return new Set(
    c.sql
      .exec<{ hash: string }>(
        "SELECT key AS hash FROM pending UNION SELECT value FROM pending, json_each(pending.refs)",
      )
      .toArray()
      .map((row) => row.hash),
  );
}

/** Publications, under way or not settled yet, that refer to a path. */
export function publishingReferrers(c: CatalogContext, hash: string): string[] {
  return intentsReferringTo(c, "publish", hash);
}

/** Paths that refer to one and whose deletion has not ended: clients may still read their narinfos. */
export function deletingReferrers(c: CatalogContext, hash: string): string[] {
  return intentsReferringTo(c, "delete-path", hash);
}

function intentsReferringTo(c: CatalogContext, kind: IntentKind, hash: string): string[] {
  return c.sql
    .exec<{ key: string }>(
      "SELECT DISTINCT key FROM pending WHERE kind = ? AND key <> ? AND EXISTS (SELECT 1 FROM json_each(refs) WHERE value = ?)",
      kind,
      hash,
      hash,
    )
    .toArray()
    .map((row) => row.key);
}

/** Whether a publication, under way or not settled yet, relies on a NAR. */
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

/** NARs of publications, and of narinfos whose deletion has not ended: until then clients may read them. */
export function intentNars(c: CatalogContext): Set<string> {
  return narsOfIntents(c, "publish", "delete-path");
}

/** NARs that intentions of these kinds protect. */
export function narsOfIntents(c: CatalogContext, ...kinds: readonly IntentKind[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ nar: string }>(
        `SELECT DISTINCT value AS nar FROM pending, json_each(pending.nars)
         WHERE kind IN (SELECT value FROM json_each(?))`,
        JSON.stringify(kinds),
      )
      .toArray()
      .map((row) => row.nar),
  );
}

/** Whether any NAR's deletion is under way, here or by a process that died. */
export function isAnyNarBeingDeleted(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM pending WHERE kind = 'delete-nar' LIMIT 1").toArray().length > 0;
}

/** Whether anything is under way with a path or a NAR, or was when a process died. */
export function hasIntent(c: CatalogContext, key: string): boolean {
  return intentsOf(c, [key]).length > 0;
}

/** Whether a path or a NAR is being deleted, or was when a process died. */
export function isBeingDeleted(c: CatalogContext, key: string): boolean {
  return deletionIntents(c, [key]).length > 0;
}

/**
 * Resolves when the publications of these paths have ended that are under way and began before the one with this
 * sequence number. That cannot become a circle, because the earlier never waits for the later.
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

/** Deletions that are pending on these keys. */
export function deletionIntents(c: CatalogContext, keys: readonly string[]): IntentRow[] {
  return intentsOf(c, keys).filter((row) => row.kind !== "publish");
}

/** What is pending on these keys. */
export function intentsOf(c: CatalogContext, keys: readonly string[]): IntentRow[] {
  return c.sql
    .exec<IntentRow>(
      "SELECT sequence, key, kind, nars, objects, begun FROM pending WHERE key IN (SELECT value FROM json_each(?))",
      JSON.stringify(keys),
    )
    .toArray();
}
