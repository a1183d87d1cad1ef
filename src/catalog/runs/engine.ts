// Drives runs, one step at a time in this object: a request does the first steps, alarms do the rest.
import type { CatalogContext } from "../context.ts";
import { resolveExpired } from "../publish/resolve.ts";
import { isRefusal } from "../refuse.ts";
import { settlePublications } from "../rows/publications.ts";
import { BLOCKED, type Job, type RunDefinition } from "./definition.ts";
import { type Run, saveRun } from "./run.ts";

/** The lock that serializes steps. No path or NAR has this name. */
const STEP_LOCK = "step";
/**
 * Bucket operations after which an invocation starts no further step. With the operations of one more step and of the
 * sweep they stay well below the 1,000 subrequests of the free plan.
 */
const SMALL_STEPS = 50;
/** Runs that one request continues: its own until it is blocked, the one that blocks it, and its own again. */
const MAX_TURNS = 3;
/** Milliseconds until a failed step is tried again, doubled with every further failure. */
export const RETRY_MS = 60_000;
const MAX_RETRY_MS = 3600_000;

/** Starts a run or continues the one under way, as far as one invocation gets. Resolves with its report. */
export function requestRun<O, R>(c: CatalogContext, definition: RunDefinition<O, R>, options: O): Promise<R> {
  return c.locks.run(STEP_LOCK, async () => {
    let own = await definition.request(c, options);
    let spent = 0;
    for (let turn = 0; turn < MAX_TURNS && spent < SMALL_STEPS; turn++) {
      if (own.run.finished !== undefined) break;
      // A request does not wait for the time of the next retry.
      const job = underWay(c, definition.continuesFirst ?? [])[0] ?? own;
      spent += await doSteps(c, job);
      own = definition.load(c) ?? own;
      if (job.definition.load(c)?.run.problem !== undefined) break;
    }
    return own.report(c);
  });
}

/**
 * Continues one of the runs under way. `runs` are all kinds, the most urgent first. Resolves with the time of the
 * next step in milliseconds since the epoch; `undefined` if no run is under way. While pushes come it does one step, and
 * the next one waits as long as that took: pushes have half of the object's time.
 */
export function continueRuns(c: CatalogContext, runs: readonly RunDefinition[]): Promise<number | undefined> {
  return c.locks.run(STEP_LOCK, async () => {
    const jobs = ready(c, runs);
    // An alarm that was set for another reason may come before every retry: then the first run is tried early.
    const job = jobs.find(({ run }) => dueTime(c, run) <= c.now()) ?? jobs[0];
    const begun = c.now();
    if (job !== undefined) await doSteps(c, job, c.isBusy() ? 1 : SMALL_STEPS);
    const next = nextStepTime(c, runs);
    return next !== undefined && c.isBusy() ? Math.max(next, 2 * c.now() - begun) : next;
  });
}

/** When the next step of any run is due; see {@link continueRuns}. */
export function nextStepTime(c: CatalogContext, runs: readonly RunDefinition[]): number | undefined {
  const times = ready(c, runs).map(({ run }) => dueTime(c, run));
  return times.length === 0 ? undefined : Math.min(...times);
}

/** Now, or when a failed step is tried again. Milliseconds since the epoch. */
function dueTime(c: CatalogContext, { retryAt = 0 }: Run): number {
  // A time later than any possible retry was set before the clock was set back.
  return retryAt > c.now() + MAX_RETRY_MS ? c.now() : Math.max(retryAt, c.now());
}

/** The runs under way that no other run blocks. */
function ready(c: CatalogContext, runs: readonly RunDefinition[]): Job[] {
  const jobs = underWay(c, runs);
  const exclusive = jobs.find(({ definition, run }) => definition.isExclusive?.(run));
  if (exclusive !== undefined) return [exclusive];
  const kinds = new Set(jobs.map(({ run }) => run.kind));
  return jobs.filter(({ definition: { waitsFor = [] } }) => !waitsFor.some(({ kind }) => kinds.has(kind)));
}

function underWay(c: CatalogContext, runs: readonly RunDefinition[]): Job[] {
  return runs.flatMap((definition) => {
    const job = definition.load(c);
    return job === undefined || job.run.finished !== undefined ? [] : [job];
  });
}

/**
 * Does steps until they have taken `enough` bucket operations. A failure is saved for the report and never
 * thrown: it neither ends the run nor stops the alarm's other work. Resolves with the bucket operations that it may
 * have taken.
 */
async function doSteps(
  c: CatalogContext,
  { definition, run, step }: Job,
  enough = SMALL_STEPS,
): Promise<number> {
  let spent = 0;
  run.problem = undefined;
  run.retryAt = undefined;
  try {
    await resolveExpired(c);
    while (run.finished === undefined && spent < enough) {
      settlePublications(c);
      run.steps++;
      const cost = await step(c);
      if (cost === BLOCKED) break;
      spent += cost;
    }
  } catch (error) {
    if (!isRefusal(error)) console.error(`a step of ${run.kind} failed`, error);
    // Use the saved state: `run` may be ahead of it.
    const saved = definition.load(c)?.run ?? run;
    saved.steps = run.steps;
    saved.failures++;
    saved.retryAt = c.now() + Math.min(RETRY_MS * 2 ** (saved.failures - 1), MAX_RETRY_MS);
    saved.problem = isRefusal(error) ? error.message : "internal error; the Worker's log has it";
    saveRun(c, saved);
  }
  return spent;
}
