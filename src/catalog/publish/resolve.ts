// Resolves intents whose operation crashed or got no response: checks the bucket for publications, repeats deletions.
// A deletion is executed the same way the first time.
import { BucketError, isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { deleteObjects } from "../objects.ts";
import { companionsStillNeeded, forgetCompanions } from "../rows/companions.ts";
import { deletePathRow } from "../rows/index-path.ts";
import {
  clearIntent,
  deletionIntents,
  expiredIntents,
  hasDeletion,
  type IntentRow,
  intentsOf,
  narsOfIntents,
  oldestPublication,
  restartTimeout,
} from "../rows/intents.ts";
import { postponeRelease } from "../rows/nars.ts";
import { isNarReferred, pathRow } from "../rows/paths.ts";
import { indexPublished } from "./index-published.ts";
import { readPublished } from "./published.ts";

/**
 * Milliseconds after which a bucket operation without a response has happened or never will; generous, because R2
 * documents none. The intent of a publication goes on protecting until then. A deletion is waited for: its key is not
 * used again before.
 */
const PUBLICATION_TIMEOUT_MS = 300_000;
const DELETION_TIMEOUT_MS = 30_000;
/** Milliseconds between the attempts of alarms to finish deletions, such as one of a leaked secret in an outage. */
const DELETION_RETRY_MS = 120_000;
/** Intents that one call of {@link resolveExpired} looks at: all deletions are one operation, publications one each. */
const MAX_EXPIRED = 1000;
const MAX_PUBLICATIONS = 20;

/** When an alarm should resolve what has no response, in milliseconds since the epoch: publications when they expire. */
export function nextExpiry(c: CatalogContext): number | undefined {
  const begun = oldestPublication(c);
  const expiry = begun === undefined ? Number.POSITIVE_INFINITY : begun + PUBLICATION_TIMEOUT_MS;
  const retry = hasDeletion(c) ? c.now() + DELETION_RETRY_MS : Number.POSITIVE_INFINITY;
  const next = Math.min(expiry, retry);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/**
 * Best effort: resolves expired intents. Correctness does not depend on it, because every user of a key resolves that
 * key first.
 */
export async function resolveExpired(c: CatalogContext): Promise<void> {
  const before = { publication: c.now() - PUBLICATION_TIMEOUT_MS, deletion: c.now() - DELETION_TIMEOUT_MS };
  const due = expiredIntents(c, before, MAX_EXPIRED).filter((row) => !c.locks.isHeld(row.key));
  const keysOf = (rows: readonly IntentRow[]) => [...new Set(rows.map((row) => row.key))];
  const deletions = keysOf(due.filter((row) => row.kind !== "publish"));
  const publications = keysOf(due.filter((row) => row.kind === "publish")).slice(0, MAX_PUBLICATIONS);
  try {
    if (deletions.length > 0) {
      await c.locks.runAll(deletions, () => executeDeletions(c, deletions));
    }
    for (const key of publications) {
      if (!c.locks.isHeld(key)) await c.locks.run(key, () => resolveKey(c, key));
    }
  } catch (error) {
    // The bucket fails: the intents stay, and the next operation tries again.
    if (!(error instanceof BucketError)) throw error;
    console.warn("intents of earlier operations could not be resolved", error);
  }
}

/**
 * Resolves the intents on one key, whose lock the caller holds: after it the catalog says what the bucket holds. A
 * publication that may still arrive goes on protecting its needs.
 */
export async function resolveKey(c: CatalogContext, key: string): Promise<void> {
  await resolveDeletion(c, key);
  const rows = intentsOf(c, [key]).filter((row) => row.kind === "publish");
  if (rows.length === 0) return;
  const published = await readPublished(c, key);
  const expired = c.now() - PUBLICATION_TIMEOUT_MS;
  c.transaction(() => {
    if (published === undefined) deletePathRow(c, key);
    // A row of this very object knows more: pushes that have changed nothing.
    else if (pathRow(c, key)?.etag !== published.etag) indexPublished(c, published);
    for (const row of rows) if (row.begun <= expired) clearIntent(c, row.sequence);
  });
  await c.purge([`/${key}.narinfo`]);
}

/** An object that an earlier deletion may still delete must not be put again before that deletion is over. */
async function resolveDeletion(c: CatalogContext, key: string): Promise<void> {
  const rows = deletionIntents(c, [key]);
  if (rows.length === 0) return;
  const timeout = Math.max(...rows.map((row) => row.begun)) + DELETION_TIMEOUT_MS;
  if (timeout > c.now()) await c.wait(timeout - c.now());
  await executeDeletions(c, [key]);
}

/** Executes the intents to delete these keys, whose locks the caller holds. */
export async function executeDeletions(c: CatalogContext, keys: readonly string[]): Promise<void> {
  const rows = deletionIntents(c, keys);
  if (rows.length === 0) return;
  // A publication after a failed deletion may rely on this NAR. One query for all, because it reads every intent.
  const published = narsOfIntents(c, "publish");
  const isNeeded = ({ kind, key }: IntentRow) =>
    kind === "delete-nar" && (published.has(key) || isNarReferred(c, key));
  const going = rows.filter((row) => !isNeeded(row));
  // A path with the same deriver may have been published since: the log belongs to it, too.
  const listed = going.flatMap((row): string[] => JSON.parse(row.objects));
  const needed = companionsStillNeeded(c, listed);
  const companions = new Set(listed.filter((key) => !needed.has(key)));
  const objects = [...new Set([...going.map(objectKey), ...companions])];
  const before = attempted(c, rows);
  try {
    if (objects.length > 0) await deleteObjects(c, objects);
  } catch (error) {
    // A response ends this attempt; an earlier attempt without a response may still happen.
    if (isAnswered(error)) for (const [sequence, begun] of before) restartTimeout(c, sequence, begun);
    throw error;
  }
  // Also objects that are needed again: an earlier attempt may have deleted them.
  const served = rows.filter(({ kind }) => kind !== "delete-pin").map(objectKey);
  const dropped = [...new Set([...served, ...companions])].map((key) => `/${key}`);
  if (dropped.length > 0) await c.purge(dropped);
  c.transaction(() => {
    for (const row of rows) {
      clearIntent(c, row.sequence);
      // Client-side narinfo caches start to expire now, so the NAR's grace period starts now.
      postponeRelease(c, JSON.parse(row.nars));
    }
    forgetCompanions(c, [...companions]);
  });
}

/**
 * The bucket is about to be asked: the timeout of these intents counts from now. Returns the times from which it counted
 * before, by sequence number; 0 where the bucket had not been asked yet.
 */
function attempted(c: CatalogContext, rows: readonly IntentRow[]): Map<number, number> {
  const before = new Map<number, number>();
  for (const { sequence, begun } of rows) {
    // A fresh intent has the right time already. The bucket may have been asked for one that a crash left.
    const isFirst = c.unsentIntents.delete(sequence);
    before.set(sequence, isFirst ? 0 : begun);
    if (!isFirst) restartTimeout(c, sequence, c.now());
  }
  return before;
}

function objectKey({ kind, key }: IntentRow): string {
  return kind === "delete-path" ? `${key}.narinfo` : key;
}
