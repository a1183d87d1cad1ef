// Does as much of a page's work as fits one step.
import type { CatalogContext } from "../context.ts";
import { moveTo, type Run } from "../runs/run.ts";
import { LAST } from "./pages.ts";

/**
 * Bucket operations of one step, its listing included, without those that resolve intents of crashed operations. The
 * free plan allows an invocation 1,000 subrequests, and an alarm also sweeps NARs.
 */
export const MAX_OPERATIONS = 400;

/** Operations under way at once; the platform lets an invocation hold six connections. */
const CONCURRENCY = 6;

/** A piece of work on a key. */
export interface Item {
  /** Its place in the walk, different for each item of a page. */
  readonly key: string;
  /** The most bucket operations that it may take. */
  readonly cost: number;
  readonly work: () => Promise<void>;
}

/**
 * Does as many of the items as fit one step, in the order of their keys, and moves the run behind the last item done, or
 * behind `end`. The caller saves the run. Resolves with the key up to which everything is done, and the bucket
 * operations that the items and the listing before them may have taken.
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
  // Report a failure only when all workers have ended: no work may outlive its step.
  const results = await Promise.allSettled(Array.from({ length: CONCURRENCY }, worker));
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}
