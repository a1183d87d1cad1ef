// Walking the bucket: pages of its listing, and as much of a page's work as fits one step.
import { bucketOperation } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
import { moveTo, type Run } from "../runs/runs.ts";

/**
 * Bucket operations of one step, its listing included, apart from what others left pending. The free plan allows an
 * invocation 1,000 subrequests, and an alarm sweeps NARs, too.
 */
export const MAX_OPERATIONS = 400;
/** What a step returns that has spent nothing and waits for another run. */
export const BLOCKED = Number.POSITIVE_INFINITY;
/** Objects on one page of a listing: the most that R2 gives. */
export const PAGE = 1000;
/** Operations under way at once; the platform lets an invocation hold six connections. */
const CONCURRENCY = 6;
/** Sorts after every key. */
export const LAST = "\u{10ffff}";

export interface Page {
  /** In the order of their keys. */
  readonly objects: readonly R2Object[];
  /** The page tells of all keys after where it began up to this one; {@link LAST} on the last page. */
  readonly end: string;
}

/**
 * Lists what comes after a key. By key and not by R2's cursor: a run goes on after days, and a cursor's life is
 * documented nowhere.
 */
export async function listPage(
  c: CatalogContext,
  options: { readonly prefix?: string; readonly delimiter?: string },
  after: string,
): Promise<Page> {
  let cursor: string | undefined;
  do {
    const place = cursor !== undefined ? { cursor } : after === "" ? {} : { startAfter: after };
    const listed = await bucketOperation("list", () => c.bucket.list({ ...options, ...place, limit: PAGE }));
    // No narinfo can name another key, so that there is nothing to know of it; and here all orders are the same.
    const objects = listed.objects.filter((object) => /^[!-~]+$/.test(object.key));
    if (!listed.truncated) return { objects, end: LAST };
    // After a folder its contents would follow, but "0" is the character after "/".
    const folder = listed.delimitedPrefixes.at(-1)?.replace(/\/$/, "0") ?? "";
    const last = listed.objects.at(-1)?.key ?? "";
    const end = [folder, last].sort().at(-1) ?? "";
    if (end !== "") return { objects, end };
    cursor = listed.cursor;
  } while (cursor !== undefined);
  return { objects: [], end: LAST };
}

/** A piece of work on a key. */
export interface Item {
  /** Where it comes in the walk; no two of a page have the same. */
  readonly key: string;
  /** Bucket operations that it takes at most. */
  readonly cost: number;
  readonly work: () => Promise<void>;
}

/**
 * Does as many of the items as fit one step, in the order of their keys, and moves the run to where it goes on:
 * behind the last item done, or behind `end`. The caller writes the run. Returns the key up to which all is done, and the bucket operations that it
 * and the listing before it may have taken.
 */
export async function doItems(
  c: CatalogContext,
  run: Run,
  items: readonly Item[],
  end: string,
): Promise<{ readonly done: string; readonly cost: number }> {
  const ordered = [...items].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const fitting: Item[] = [];
  let cost = 1;
  for (const item of ordered) {
    if (cost + item.cost > MAX_OPERATIONS) break;
    cost += item.cost;
    fitting.push(item);
  }
  await inParallel(fitting);
  const done = fitting.length === ordered.length ? end : (fitting.at(-1)?.key ?? end);
  moveTo(c, run, done === LAST ? undefined : done);
  return { done, cost };
}

async function inParallel(items: readonly Item[]): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await item.work();
  };
  // All of them end before a failure is told: nothing of a step goes on behind its back.
  const results = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
