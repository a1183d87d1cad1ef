// As much of a page's work as fits one step.
import type { CatalogContext } from "../context.ts";
import { moveTo, type Run } from "../runs/runs.ts";
import { LAST } from "./pages.ts";

/**
 * Bucket operations of one step, its listing included, apart from what others left pending. The free plan allows an
 * invocation 1,000 subrequests, and an alarm sweeps NARs, too.
 */
export const MAX_OPERATIONS = 400;

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

export async function inParallel(items: readonly Item[]): Promise<void> {
  const waiting = [...items];
  const worker = async () => {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) await item.work();
  };
  // All of them end before a failure is told: nothing of a step goes on behind its back.
  const results = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** Operations under way at once; the platform lets an invocation hold six connections. */
const CONCURRENCY = 6;
