// Intentions, written down before the bucket is touched: what is pending protects its references and NARs from
// deletion, and what an operation left pending that died or got no answer is settled by looking into the bucket.
import { isAnswered } from "../cache/bucket.ts";
import { HttpError } from "../http/errors.ts";
import { forgetCompanions, logsStillNeeded } from "./companions.ts";
import type { CatalogContext } from "./context.ts";
import { deleteObjects } from "./objects.ts";
import { deletePathRow, indexPath, isIncomplete, pathRow, postponeRelease } from "./paths.ts";
import { readPublished } from "./published.ts";

export type PendingKind = "publish" | "delete-path" | "delete-nar" | "delete-pin";

interface PendingRow extends Record<string, SqlStorageValue> {
  /** Grows with every intention; it names the row. */
  sequence: number;
  key: string;
  kind: PendingKind;
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

export interface Intention extends Partial<Needs> {
  readonly kind: PendingKind;
  /** The hash part of a path, or the key of a NAR or a pin. */
  readonly key: string;
  /** Of a deletion: keys of other objects that go with it. */
  readonly objects?: readonly string[];
}

/**
 * What a bucket operation without an answer may still do, it does within these times (milliseconds) of the intention;
 * generous, because nobody promises any. A publication's intention goes on protecting until then, and nobody waits
 * for it. A deletion's has to be over before its key can be used again.
 */
const PUBLICATION_SETTLES_MS = 300_000;
const DELETION_SETTLES_MS = 30_000;
/** Leftovers that one call of {@link recover} looks at. Deletions are one operation, publications one each. */
const MAX_LEFTOVERS = 1000;
const MAX_PUBLICATIONS = 20;

/**
 * Writes an intention down and returns its sequence number. Durable before anything else leaves the object: its
 * output gate sees to that.
 */
export function begin(c: CatalogContext, intention: Intention): number {
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
  c.unasked.add(sequence);
  return sequence;
}

/** Makes an intention protect other NARs and paths than before. */
export function protect(c: CatalogContext, sequence: number, needs: Needs): void {
  c.sql.exec(
    "UPDATE pending SET nars = ?, refs = ? WHERE sequence = ?",
    JSON.stringify(needs.nars),
    JSON.stringify(needs.references),
    sequence,
  );
}

export function end(c: CatalogContext, sequence: number): void {
  c.unasked.delete(sequence);
  c.sql.exec("DELETE FROM pending WHERE sequence = ?", sequence);
}

/** A publication's put has failed: if the bucket has said so, it can be settled at once. */
export function fail(c: CatalogContext, sequence: number, error: unknown): void {
  if (isAnswered(error)) renew(c, sequence, 0);
}

/** Counts the time in which the bucket may still do it from `begun` (milliseconds since the epoch). */
export function renew(c: CatalogContext, sequence: number, begun: number): void {
  c.sql.exec("UPDATE pending SET begun = ? WHERE sequence = ?", begun, sequence);
}

/** What is being deleted, or was when a process died, and takes this object with it. */
export function deletionWith(c: CatalogContext, object: string): string | undefined {
  return c.sql
    .exec<{ key: string }>(
      "SELECT key FROM pending WHERE EXISTS (SELECT 1 FROM json_each(objects) WHERE value = ?) LIMIT 1",
      object,
    )
    .toArray()[0]?.key;
}

/** Hash parts of what any intention protects, or is itself about. */
export function pendingPaths(c: CatalogContext): Set<string> {
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
export function pendingReferrers(c: CatalogContext, hash: string): string[] {
  return pendingReferring(c, "publish", hash);
}

/** Paths that refer to one and whose deletion has not ended: clients may still read their narinfos. */
export function vanishingReferrers(c: CatalogContext, hash: string): string[] {
  return pendingReferring(c, "delete-path", hash);
}

function pendingReferring(c: CatalogContext, kind: PendingKind, hash: string): string[] {
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
export function isNarPending(c: CatalogContext, nar: string): boolean {
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
export function pendingNars(c: CatalogContext): Set<string> {
  return narsOf(c, "publish", "delete-path");
}

function narsOf(c: CatalogContext, ...kinds: readonly PendingKind[]): Set<string> {
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
export function areNarsPending(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM pending WHERE kind = 'delete-nar' LIMIT 1").toArray().length > 0;
}

/** Whether anything is under way with a path or a NAR, or was when a process died. */
export function isPending(c: CatalogContext, key: string): boolean {
  return rowsOf(c, [key]).length > 0;
}

/** Whether a path or a NAR is being deleted, or was when a process died. */
export function isBeingDeleted(c: CatalogContext, key: string): boolean {
  return deletionsOf(c, [key]).length > 0;
}

/** Whether a path of the catalog has this NAR. */
export function isNarReferred(c: CatalogContext, nar: string): boolean {
  return c.sql.exec("SELECT 1 FROM paths WHERE nar = ? LIMIT 1", nar).toArray().length > 0;
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

/**
 * Settles what earlier operations left, as far as it is time for it. Nothing depends on it, because what is pending
 * protects what it needs, and whoever uses a key settles it first: what cannot be settled now is left to the next.
 */
export async function recover(c: CatalogContext): Promise<void> {
  const due = c.sql
    .exec<PendingRow>(
      `SELECT sequence, key, kind, nars, objects, begun FROM pending WHERE begun <= CASE kind WHEN 'publish' THEN ? ELSE ? END
       ORDER BY sequence LIMIT ?`,
      c.now() - PUBLICATION_SETTLES_MS,
      c.now() - DELETION_SETTLES_MS,
      MAX_LEFTOVERS,
    )
    .toArray()
    .filter((row) => !c.locks.isHeld(row.key));
  const keysOf = (rows: readonly PendingRow[]) => [...new Set(rows.map((row) => row.key))];
  const deletions = keysOf(due.filter((row) => row.kind !== "publish"));
  const publications = keysOf(due.filter((row) => row.kind === "publish")).slice(0, MAX_PUBLICATIONS);
  try {
    if (deletions.length > 0) {
      await c.locks.runAll(deletions, () => carryOutDeletions(c, deletions));
    }
    for (const key of publications) {
      if (!c.locks.isHeld(key)) await c.locks.run(key, () => settleKey(c, key));
    }
  } catch (error) {
    // The bucket fails. It all stays written down, and is tried again by the next operation.
    if (!(error instanceof HttpError)) throw error;
    console.warn("what an earlier operation left could not be settled", error);
  }
}

/**
 * Settles what earlier operations left on one key, by one who holds its lock: the catalog says then what the bucket
 * holds. A publication that may still arrive goes on protecting what it needs.
 */
export async function settleKey(c: CatalogContext, key: string): Promise<void> {
  await settleDeletion(c, key);
  const rows = rowsOf(c, [key]).filter((row) => row.kind === "publish");
  if (rows.length === 0) return;
  // The bucket is the truth: either the put arrived or it did not.
  const published = await readPublished(c, key);
  const settled = c.now() - PUBLICATION_SETTLES_MS;
  c.transaction(() => {
    if (published === undefined) deletePathRow(c, key);
    // A row that knows this object knows more of its pushes: those that have changed nothing.
    else if (pathRow(c, key)?.etag !== published.etag)
      indexPath(c, { ...published, isIncomplete: isIncomplete(c, published.info) });
    for (const row of rows) if (row.begun <= settled) end(c, row.sequence);
  });
  await c.purge([`/${key}.narinfo`]);
}

/** What another process asked the bucket to delete must not vanish after somebody has put it there again. */
async function settleDeletion(c: CatalogContext, key: string): Promise<void> {
  const rows = deletionsOf(c, [key]);
  if (rows.length === 0) return;
  const settled = Math.max(...rows.map((row) => row.begun)) + DELETION_SETTLES_MS;
  if (settled > c.now()) await c.wait(settled - c.now());
  await carryOutDeletions(c, [key]);
}

/** Does what the intentions to delete these keys say, by one who holds the locks of all of them. */
export async function carryOutDeletions(c: CatalogContext, keys: readonly string[]): Promise<void> {
  const rows = deletionsOf(c, keys);
  if (rows.length === 0) return;
  // A deletion that failed may have been followed by a publication that relies on this NAR. Asked once for all of
  // them, because it looks at every intention.
  const published = narsOf(c, "publish");
  const isNeeded = ({ kind, key }: PendingRow) =>
    kind === "delete-nar" && (published.has(key) || isNarReferred(c, key));
  const going = rows.filter((row) => !isNeeded(row));
  // A path with the same deriver may have been published since: the log is its log, too.
  const listed = going.flatMap((row): string[] => JSON.parse(row.objects));
  const needed = logsStillNeeded(c, listed);
  const companions = new Set(listed.filter((key) => !needed.has(key)));
  const objects = [...new Set([...going.map(objectKey), ...companions])];
  const before = attempted(c, rows);
  try {
    if (objects.length > 0) await deleteObjects(c, objects);
  } catch (error) {
    // This attempt is over if the bucket has said so; one before it that got no answer may still happen.
    if (isAnswered(error)) for (const [sequence, begun] of before) renew(c, sequence, begun);
    throw error;
  }
  // Of what is needed again, too: an earlier attempt may have deleted it.
  const served = rows.filter(({ kind }) => kind !== "delete-pin").map(objectKey);
  const dropped = [...new Set([...served, ...companions])].map((key) => `/${key}`);
  if (dropped.length > 0) await c.purge(dropped);
  c.transaction(() => {
    for (const row of rows) {
      end(c, row.sequence);
      // Clients saw the narinfo until now, and now they begin to forget it.
      postponeRelease(c, JSON.parse(row.nars));
    }
    forgetCompanions(c, [...companions]);
  });
}

/**
 * From here on the bucket may do it at any time: what waits for it has to wait from now. Returns from when it had to
 * be waited for before, by sequence number; 0 where the bucket had not been asked yet.
 */
function attempted(c: CatalogContext, rows: readonly PendingRow[]): Map<number, number> {
  const before = new Map<number, number>();
  for (const { sequence, begun } of rows) {
    // Its intention says already when it begins. What a dead process has written may have been asked for.
    const isFirst = c.unasked.delete(sequence);
    before.set(sequence, isFirst ? 0 : begun);
    if (!isFirst) renew(c, sequence, c.now());
  }
  return before;
}

function objectKey({ kind, key }: PendingRow): string {
  return kind === "delete-path" ? `${key}.narinfo` : key;
}

function deletionsOf(c: CatalogContext, keys: readonly string[]): PendingRow[] {
  return rowsOf(c, keys).filter((row) => row.kind !== "publish");
}

function rowsOf(c: CatalogContext, keys: readonly string[]): PendingRow[] {
  return c.sql
    .exec<PendingRow>(
      "SELECT sequence, key, kind, nars, objects, begun FROM pending WHERE key IN (SELECT value FROM json_each(?))",
      JSON.stringify(keys),
    )
    .toArray();
}
