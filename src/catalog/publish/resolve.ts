// Resolves intents whose operation crashed or got no response: checks the bucket for publications, repeats deletions.
// A deletion is executed the same way the first time.
import { BucketError, isAnswered } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { deleteObjects } from "../objects.ts";
import {
  companionsStillNeeded,
  forgetCompanions,
  hasOwner,
  leftCompanions,
  MAX_COMPANIONS,
} from "../rows/companions.ts";
import { note } from "../rows/findings.ts";
import { deletePathRow } from "../rows/index-path.ts";
import {
  clearIntent,
  countDeletions,
  deletionIntents,
  type IntentRow,
  nextIntents,
  recordIntent,
  restartTimeout,
} from "../rows/intents.ts";
import { isNarReferred } from "../rows/nar-paths.ts";
import { adoptNars, adoptPaths } from "../rows/old-layout.ts";
import { pathRow } from "../rows/paths.ts";
import {
  clearPublications,
  expiredPublications,
  leftPublications,
  narsBeingPublished,
  oldestPublication,
  settle,
} from "../rows/publications.ts";
import { postponeRelease } from "../rows/released.ts";
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
const MAX_EXPIRED = 200;
const MAX_PUBLICATIONS = 20;
/** Characters of the keys that the deletions of one call list. */
const MAX_SIZE = 256 * 1024;
/** Operations of one call if the bucket refuses some of the deletions. */
const MAX_ATTEMPTS = 16;

/** When an alarm should resolve what has no response, in milliseconds since the epoch: publications when they expire. */
export function nextExpiry(c: CatalogContext): number | undefined {
  const begun = oldestPublication(c);
  const expiry = begun === undefined ? Number.POSITIVE_INFINITY : begun + PUBLICATION_TIMEOUT_MS;
  const retry = countDeletions(c, 1) > 0 ? c.now() + DELETION_RETRY_MS : Number.POSITIVE_INFINITY;
  const next = Math.min(expiry, retry);
  return next === Number.POSITIVE_INFINITY ? undefined : next;
}

/**
 * Best effort: resolves expired intents, some of them in each call, in turn. Correctness does not depend on it, because
 * every user of a key resolves that key first.
 */
export async function resolveExpired(c: CatalogContext): Promise<void> {
  await resolveNext(c);
}

/** The same. True where the next call may find more. */
export async function resolveNext(c: CatalogContext): Promise<boolean> {
  const { deletions, hasMore } = nextDeletions(c);
  let isReachable = true;
  if (deletions.length > 0) {
    isReachable = await c.locks.runAll(deletions, () => executeApart(c, deletions));
  }
  const publications = nextPublications(c);
  for (const hash of publications.slice(0, MAX_PUBLICATIONS)) {
    c.resolution.path = hash;
    try {
      if (!c.locks.isHeld(hash)) await c.locks.run(hash, () => resolveKey(c, hash));
    } catch (error) {
      // The bucket fails: the publication stays, and a later call tries again.
      if (!(error instanceof BucketError)) throw error;
      console.warn(`the publication of ${hash} could not be resolved`, error);
      return false;
    }
  }
  return isReachable && (hasMore || publications.length > MAX_PUBLICATIONS);
}

/** Paths with an expired publication. One that fails again and again does not keep the call from those after it. */
function nextPublications(c: CatalogContext): string[] {
  const expired = expiredPublications(c, c.now() - PUBLICATION_TIMEOUT_MS).sort();
  const after = expired.filter((hash) => hash > (c.resolution.path ?? ""));
  return after.length > 0 ? after : expired;
}

interface Expired {
  readonly deletions: readonly string[];
  readonly hasMore: boolean;
}

/** Keys of the next expired deletions. One that fails again and again does not keep the call from those after it. */
function nextDeletions(c: CatalogContext): Expired {
  const looked = nextIntents(c, c.resolution.after, MAX_EXPIRED);
  const deletions = new Set<string>();
  let size = 0;
  let last = 0;
  for (const { sequence, key, begun, size: ownSize } of looked) {
    const isDue = begun <= c.now() - DELETION_TIMEOUT_MS && !c.locks.isHeld(key);
    if (isDue && size >= MAX_SIZE) break;
    if (isDue) {
      deletions.add(key);
      size += ownSize;
    }
    last = sequence;
  }
  const isEnd = looked.length < MAX_EXPIRED && last === (looked.at(-1)?.sequence ?? 0);
  c.resolution.after = isEnd ? 0 : last;
  return { deletions: [...deletions], hasMore: !isEnd };
}

/**
 * Executes the intents to delete these keys, whose locks the caller holds. If the bucket refuses them together, it is
 * asked for each half, and so on: a key that it refuses alone becomes a finding. False where the bucket does not respond.
 */
async function executeApart(c: CatalogContext, keys: readonly string[]): Promise<boolean> {
  const groups = [keys];
  const refused: string[] = [];
  let hasSucceeded = false;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const group = groups.pop();
    if (group === undefined) break;
    try {
      await executeDeletions(c, group);
      hasSucceeded = true;
    } catch (error) {
      if (!(error instanceof BucketError)) throw error;
      console.warn("earlier deletions could not be repeated", error);
      if (!isAnswered(error)) return false;
      const half = Math.ceil(group.length / 2);
      if (group.length > 1) groups.push(group.slice(0, half), group.slice(half));
      else refused.push(...group);
    }
  }
  // In an outage the bucket refuses all.
  if (!hasSucceeded) return false;
  for (const key of refused) note(c, "gc", "stuck-deletion", key, "the bucket refuses to delete it");
  return true;
}

/**
 * Resolves the intents on one key, whose lock the caller holds: after it the catalog says what the bucket holds. A
 * publication that may still arrive goes on protecting its needs.
 */
export async function resolveKey(c: CatalogContext, key: string): Promise<void> {
  adoptPaths(c, [key]);
  adoptNars(c, [key]);
  await resolveDeletion(c, key);
  const left = leftPublications(c, key);
  if (left.length === 0) return;
  const published = await readPublished(c, key);
  const expired = c.now() - PUBLICATION_TIMEOUT_MS;
  c.transaction(() => {
    if (published === undefined) deletePathRow(c, key);
    // A row of this very object knows more: pushes that have changed nothing.
    else if (pathRow(c, key)?.etag !== published.etag) indexPublished(c, published);
    else for (const publication of left) settle(c, publication);
  });
  clearPublications(
    c,
    left.filter(({ begun }) => begun <= expired),
  );
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
  // A publication after a failed deletion may rely on this NAR.
  const published = narsBeingPublished(c);
  const isNeeded = ({ kind, key }: IntentRow) =>
    (kind === "delete-nar" && (published.has(key) || isNarReferred(c, key))) ||
    (kind === "delete-companions" && hasOwner(c, key));
  const going = rows.filter((row) => !isNeeded(row));
  // A path with the same deriver may have been published since: the log belongs to it, too.
  const listed = going.flatMap((row): string[] => JSON.parse(row.objects));
  const needed = companionsStillNeeded(c, listed);
  const companions = new Set(listed.filter((key) => !needed.has(key)));
  const objects = [...new Set([...going.flatMap(objectKey), ...companions])];
  const before = attempted(c, rows);
  try {
    if (objects.length > 0) await deleteObjects(c, objects);
  } catch (error) {
    // A response ends this attempt; an earlier attempt without a response may still happen.
    if (isAnswered(error)) for (const [sequence, begun] of before) restartTimeout(c, sequence, begun);
    throw error;
  }
  // Also objects that are needed again: an earlier attempt may have deleted them.
  const served = rows.filter(({ kind }) => kind !== "delete-pin").flatMap(objectKey);
  const dropped = [...new Set([...served, ...companions])].map((key) => `/${key}`);
  if (dropped.length > 0) await c.purge(dropped);
  c.transaction(() => {
    for (const row of rows) {
      clearIntent(c, row.sequence);
      // Client-side narinfo caches start to expire now, so the NAR's grace period starts now.
      postponeRelease(c, JSON.parse(row.nars));
    }
    forgetCompanions(c, [...companions]);
    for (const row of going) deleteLeftCompanions(c, row);
  });
}

/** An owner with more companions than one deletion takes along is gone: the next of them follow by an alarm. */
function deleteLeftCompanions(c: CatalogContext, row: IntentRow): void {
  if (JSON.parse(row.objects).length < MAX_COMPANIONS) return;
  const owner = row.key;
  const objects = leftCompanions(c, owner);
  if (objects.length === 0) return;
  const sequence = recordIntent(c, { kind: "delete-companions", key: owner, objects });
  // Due at once, for whichever call comes next.
  c.unsentIntents.delete(sequence);
  restartTimeout(c, sequence, 0);
  c.wakeForVerification();
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

/** The object that is deleted itself; none where only companions are. */
function objectKey({ kind, key }: IntentRow): string[] {
  if (kind === "delete-companions") return [];
  return [kind === "delete-path" ? `${key}.narinfo` : key];
}
