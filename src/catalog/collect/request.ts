// Asking for a collection: whether one may begin, by which rules, and whether what it found looks right.
import { allProblems } from "../../config/config.ts";
import { collects, GB, retentionMs } from "../../config/retention.ts";
import type { Amount, GcOptions } from "../../contract/runs.ts";
import { HttpError } from "../../http/errors.ts";
import type { CatalogContext } from "../context.ts";
import { NOTHING_SPENT } from "../meter.ts";
import { writePins } from "../pins/pins.ts";
import { lastUseSlackMs } from "../publish/last-use.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { loadRun, type Run, saveRun, startRun } from "../runs/runs.ts";
import { type Collection, rulesOf } from "./collection.ts";

const DAY_MS = 24 * 3600 * 1000;
/**
 * Milliseconds after a collection for which its `since` holds. The cron begins one a day wherever there are rules, so
 * that a longer silence may be a time without rules, in which wants were not noted and nothing tells the catalog so. A
 * cron that has failed twice is forgiven; after more failures too much is kept for a period, never too little.
 */
const SINCE_HOLDS_MS = 3 * DAY_MS;

/**
 * Begins a collection, or gives the one under way. Throws {@link HttpError} 403 while the configuration has a
 * mistake, 409 for a dry run while a real one is under way.
 */
export async function requestCollection(c: CatalogContext, options: GcOptions): Promise<Run> {
  const { dry_run = false, force = false } = options;
  await requireSoundConfig(c);
  await writePinsIfPossible(c);
  const current = loadRun(c, "gc");
  const collection = current?.finished === undefined ? current?.collection : undefined;
  if (current === undefined || collection === undefined) return start(c, dry_run, force);
  if (dry_run && !collection.dryRun) {
    throw new HttpError(
      409,
      "a collection is under way; GET /api/v1/gc says how far it is, ask for a dry run when it has ended",
    );
  }
  if (dry_run !== collection.dryRun) return start(c, dry_run, force);
  if (force && !collection.force) {
    collection.force = true;
    saveRun(c, current);
  }
  return current;
}

/** With a mistake in it nobody knows what the operator wanted to keep. Throws {@link HttpError} 403. */
export async function requireSoundConfig(c: CatalogContext): Promise<void> {
  const [problem] = await allProblems(c.config);
  if (problem !== undefined) {
    throw new HttpError(403, `nothing is collected until the configuration is mended: ${problem}`);
  }
}

/** The rows protect already, so that a bucket that fails keeps no collection from beginning. */
async function writePinsIfPossible(c: CatalogContext): Promise<void> {
  try {
    await writePins(c);
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    console.warn("a pin could not be written into the bucket", error);
  }
}

function start(c: CatalogContext, dryRun: boolean, force: boolean): Run {
  const isConfigured = collects(c.config);
  // Of paths that the catalog does not know yet it cannot note that they are asked for.
  const since = isConfigured && isIndexed(c) ? (earlierSince(c) ?? c.now()) : null;
  const before = (age: number) => {
    const time = c.now() - age - lastUseSlackMs(c);
    return since === null || since > time ? 0 : time;
  };
  const { retentionDays, maxSizeBytes, graceMs } = c.config;
  const collection: Collection = {
    dryRun,
    force,
    rules: rulesOf(c),
    since,
    expiredBefore: retentionDays === undefined ? 0 : before(retentionMs(c.config)),
    droppableBefore: maxSizeBytes === undefined ? 0 : before(graceMs),
    before: null,
    cursor: { lastUsed: Number.MIN_SAFE_INTEGER, hash: "" },
    isBySize: false,
    roots: 0,
    dead: { paths: 0, bytes: 0, expired: 0, too_large: 0 },
    oldest: [],
    removed: { paths: 0, bytes: 0 },
    spared: 0,
    uploads: 0,
    spent: { ...NOTHING_SPENT },
  };
  const run = startRun(c, "gc", false, { collection });
  if (!isConfigured) {
    stop(
      c,
      run,
      "neither retention_days nor max_size_gb is set, so nothing is ever collected; see docs/retention.md",
    );
  }
  return run;
}

/**
 * Since when the collections before this one have counted; null where they say nothing of what pushers asked for until
 * now: in a catalog that is new or was lost, and after a time without rules.
 */
function earlierSince(c: CatalogContext): number | null {
  const earlier = loadRun(c, "gc");
  if (earlier?.collection === undefined) return null;
  // Every step looks whether its rules still hold.
  const last = earlier.finished ?? earlier.started;
  return c.now() - last <= SINCE_HOLDS_MS ? earlier.collection.since : null;
}

/** All that is here; only after a reindex is it all that the bucket has. */
export function countAll(c: CatalogContext): Amount {
  return c.sql
    .exec<{ paths: number; bytes: number }>(
      `SELECT (SELECT count(*) FROM paths) AS paths, coalesce(sum(size), 0) AS bytes
       FROM nars WHERE EXISTS (SELECT 1 FROM paths WHERE nar = key)`,
    )
    .one();
}

/** Ends a run before its end, and says why. */
export function stop(c: CatalogContext, run: Run, why: string): void {
  const { collection } = run;
  if (collection !== undefined) collection.stopped = why;
  finish(c, run);
}

export function finish(c: CatalogContext, run: Run): void {
  run.finished = run.completed = c.now();
  run.failures = 0;
  c.transaction(() => {
    c.sql.exec("DELETE FROM marks");
    saveRun(c, run);
  });
}

/** What makes a collection look like a mistake; `undefined` where it removes no more than half of the cache. */
export function safetyStop(c: CatalogContext, collection: Collection): string | undefined {
  const { dead, rules } = collection;
  const before = collection.before ?? { paths: 0, bytes: 0 };
  if (dead.paths * 2 <= before.paths && dead.bytes * 2 <= before.bytes) return undefined;
  const { newest } = c.sql.exec<{ newest: number | null }>("SELECT max(wanted) AS newest FROM paths").one();
  const { pins } = c.sql.exec<{ pins: number }>("SELECT count(*) AS pins FROM pins").one();
  const quietDays = Math.floor((c.now() - (newest ?? 0)) / DAY_MS);
  const isQuiet = newest !== null && newest < collection.expiredBefore;
  const cause = isQuiet
    ? `${pins === 0 ? "nothing is pinned, and " : ""}nothing has been pushed for ${quietDays} days: is CI still pushing?`
    : dead.too_large > dead.expired
      ? `max_size_gb = ${(rules.maxSizeBytes ?? 0) / GB} is less than half of what is here: is it right?`
      : `most paths are older than retention_days = ${rules.retentionDays}: is it right, and is pinned what must stay?`;
  return `${dead.paths} of ${before.paths} paths, ${dead.bytes} of ${before.bytes} bytes would go, more than half of the cache; ${cause} If so, POST /api/v1/gc with {"force": true}`;
}
