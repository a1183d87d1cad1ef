// Driving runs: one step at a time in this object, begun by a request, continued by alarms until the run is done.
import type {
  CheckOptions,
  GcOptions,
  Phase,
  ReindexOptions,
  ResignOptions,
  RunKind,
} from "../../contract/runs.ts";
import { HttpError } from "../../http/errors.ts";
import { CHECK_STEPS } from "../check/check.ts";
import { requestCollection } from "../collect/request.ts";
import { GC_STEPS } from "../collect/steps.ts";
import type { CatalogContext } from "../context.ts";
import { resolveExpired } from "../publish/settle.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { REINDEX_STEPS } from "../reindex/reindex.ts";
import { RESIGN_STEPS, requestResign } from "../resign/resign.ts";
import { BLOCKED, loadRun, type Run, saveRun, startRun } from "./runs.ts";

/**
 * Does a part of a phase and writes it with the run's new position in one transaction, or so that doing it again
 * changes nothing. Returns how many bucket operations it may have taken, at most MAX_OPERATIONS; or WAITS.
 */
export type Step = (c: CatalogContext, run: Run) => Promise<number>;

const STEPS: Record<RunKind, Partial<Record<Phase, Step>>> = {
  reindex: REINDEX_STEPS,
  check: CHECK_STEPS,
  gc: GC_STEPS,
  resign: RESIGN_STEPS,
};
/**
 * A check of a catalog that is being rebuilt would find little but what the reindex is about to mend, and a collection
 * needs to know the whole bucket.
 */
const ORDER: readonly RunKind[] = ["reindex", "gc", "resign", "check"];
/** The lock that lets one step run at a time; no path and no NAR is named so. */
const STEP_LOCK = "step";
/**
 * Bucket operations after which an invocation begins no further step. With those of one more step, and those of the
 * sweep, they stay well below the 1,000 subrequests that the free plan allows.
 */
const SMALL_STEPS = 50;
/** Milliseconds until a step that failed is tried again, doubled with every further failure. */
export const RETRY_MS = 60_000;
const MAX_RETRY_MS = 3600_000;

/** Those of all kinds. */
export type RunOptions = ReindexOptions & CheckOptions & GcOptions & ResignOptions;

/** Begins a run, or goes on with the one under way, as far as one invocation gets. */
export function requestRun(c: CatalogContext, kind: RunKind, options: RunOptions): Promise<void> {
  return c.locks.run(STEP_LOCK, async () => {
    if (kind === "gc" || kind === "resign") {
      await (kind === "gc" ? requestCollection : requestResign)(c, options);
      return runNow(c, kind);
    }
    const { restart = false, repair } = options;
    const current = loadRun(c, kind);
    const goesOn =
      current !== undefined &&
      current.finished === undefined &&
      !restart &&
      (repair === undefined || repair === current.repair);
    await doSteps(c, goesOn ? current : startRun(c, kind, repair ?? false));
  });
}

/**
 * Reindexes, or goes on with it, as far as one invocation gets: that is to the end where the catalog knows the bucket
 * already, or the bucket is small. Throws {@link HttpError} 503 where it is not at its end then.
 */
export async function requireIndex(c: CatalogContext): Promise<void> {
  if (isIndexed(c)) return;
  await requestRun(c, "reindex", {});
  if (isIndexed(c)) return;
  throw new HttpError(
    503,
    "the catalog is being built from the bucket, and nothing is deleted before that is done; GET /api/v1/reindex says how far it is",
    { "Retry-After": "60" },
  );
}

/** A run that finds the bucket not indexed has that done first: a small one is done in one invocation. */
async function runNow(c: CatalogContext, kind: RunKind): Promise<void> {
  let spent = 0;
  for (let turn = 0; turn < 3 && spent < SMALL_STEPS && loadRun(c, kind)?.finished === undefined; turn++) {
    // Whoever asks does not wait for the time of the next try.
    const run = underWay(c).find((run) => run.kind === kind || run.kind === "reindex");
    if (run === undefined) return;
    spent += await doSteps(c, run);
    if (loadRun(c, run.kind)?.problem !== undefined) return;
  }
}

/** Goes on with what is under way. The time of the next one, in milliseconds since the epoch, if there is any. */
export function continueRuns(c: CatalogContext): Promise<number | undefined> {
  return c.locks.run(STEP_LOCK, async () => {
    const runs = underWay(c);
    // An alarm that comes early, for another reason, may find that all of them wait: then it is the first one's try.
    const run = runs.find((run) => dueTime(c, run) <= c.now()) ?? runs[0];
    if (run !== undefined) await doSteps(c, run);
    return nextStepTime(c);
  });
}

/** The earliest of all runs. */
export function nextStepTime(c: CatalogContext): number | undefined {
  const times = underWay(c).map((run) => dueTime(c, run));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Now, or when a run whose last step failed is tried again. In milliseconds since the epoch. */
function dueTime(c: CatalogContext, { retryAt = 0 }: Run): number {
  // A time that is further away than any wait was noted before the clock was set back.
  return retryAt > c.now() + MAX_RETRY_MS ? c.now() : Math.max(retryAt, c.now());
}

/** In the order in which they go on. */
function underWay(c: CatalogContext): Run[] {
  const runs = ORDER.map((kind) => loadRun(c, kind)).filter(
    (run): run is Run => run !== undefined && run.finished === undefined,
  );
  // What needs to know the whole bucket has nothing to do until the first reindex has ended.
  const isFirst = runs[0]?.kind === "reindex" && runs[0].completed === undefined;
  if (isFirst) return runs.slice(0, 1);
  // What a reindex has met that keeps a collection from going on is not known again before its end.
  return runs[0]?.kind === "reindex" ? runs.filter(({ kind }) => kind !== "gc") : runs;
}

/**
 * Several steps where they are small, as over a bucket that is known. What stops one is noted for the operator: a run
 * is never given up, and never stops what else the alarm does. Returns the bucket operations that it may have taken.
 */
async function doSteps(c: CatalogContext, run: Run): Promise<number> {
  let spent = 0;
  run.problem = undefined;
  run.retryAt = undefined;
  try {
    await resolveExpired(c);
    while (run.finished === undefined && spent < SMALL_STEPS) {
      run.steps++;
      const cost = (await STEPS[run.kind][run.phase]?.(c, run)) ?? 0;
      if (cost === BLOCKED) break;
      spent += cost;
    }
  } catch (error) {
    if (!(error instanceof HttpError)) console.error(`a step of ${run.kind} failed`, error);
    // Only what the step has written counts; the rest of `run` may be ahead of it.
    const written = loadRun(c, run.kind) ?? run;
    written.steps = run.steps;
    written.failures++;
    written.retryAt = c.now() + Math.min(RETRY_MS * 2 ** (written.failures - 1), MAX_RETRY_MS);
    written.problem = error instanceof HttpError ? error.message : "internal error; the Worker's log has it";
    saveRun(c, written);
  }
  return spent;
}
