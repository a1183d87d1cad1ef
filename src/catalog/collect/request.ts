// A request for a collection: continues the one under way, or starts one with the current rules.
import { BucketError } from "../../bucket/operation.ts";
import { collects, retentionMs } from "../../config/retention.ts";
import type { GcOptions } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { NOTHING_SPENT } from "../meter.ts";
import { writePins } from "../pins/pins.ts";
import { lastUseSlackMs } from "../publish/last-use.ts";
import { Refused } from "../refuse.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { saveRun } from "../runs/run.ts";
import { requireValidConfig } from "../runs/valid-config.ts";
import { type Collection, GC_RECORD, type GcRun, rulesOf, unsurveyed } from "./collection.ts";
import { stop } from "./end.ts";

const DAY_MS = 24 * 3600 * 1000;
/** After the hash part of every path. */
const LAST = "~";
/**
 * Milliseconds after a collection for which its `since` holds. The cron starts one a day while there are rules, so a
 * longer gap may be a time without rules, in which last use was not recorded. Two failed crons are tolerated; after
 * more, retention starts anew.
 */
const SINCE_HOLDS_MS = 3 * DAY_MS;

/** Throws {@link Refused}: misconfigured, or collection-under-way for a dry run during a real collection. */
export async function requestCollection(c: CatalogContext, options: GcOptions): Promise<GcRun> {
  const { dry_run = false, force = false, upstreams = false } = options;
  const begin = () => start(c, { dryRun: dry_run, force, upstreams });
  await requireValidConfig(c, "collected");
  await writePinsIfPossible(c);
  const current = GC_RECORD.load(c);
  if (current === undefined || current.finished !== undefined) return begin();
  const collection = current.state;
  if (dry_run && !collection.dryRun) {
    throw new Refused({ kind: "collection-under-way" });
  }
  if (dry_run !== collection.dryRun || (upstreams && !collection.upstreams)) return begin();
  if (force && !collection.force) {
    collection.force = true;
    saveRun(c, current);
  }
  return current;
}

/** The rows protect pinned paths already, so a failing bucket does not prevent a collection. */
async function writePinsIfPossible(c: CatalogContext): Promise<void> {
  try {
    await writePins(c);
  } catch (error) {
    if (!(error instanceof BucketError)) throw error;
    console.warn("a pin could not be written into the bucket", error);
  }
}

function start(
  c: CatalogContext,
  { dryRun, force, upstreams }: Pick<Required<Collection>, "dryRun" | "force" | "upstreams">,
): GcRun {
  const isConfigured = collects(c.config);
  // The catalog does not record the last use of paths without a row.
  const since = isConfigured && isIndexed(c) ? (earlierSince(c) ?? c.now()) : null;
  const before = (age: number) => {
    const time = c.now() - age - lastUseSlackMs(c);
    return since === null || since > time ? 0 : time;
  };
  const { retentionDays, maxSizeBytes, graceMs } = c.config;
  const expiredBefore = retentionDays === undefined ? 0 : before(retentionMs(c.config));
  const run = GC_RECORD.start(c, {
    dryRun,
    force,
    ...(upstreams && { upstreams }),
    rules: rulesOf(c),
    since,
    expiredBefore,
    droppableBefore: maxSizeBytes === undefined ? 0 : before(graceMs),
    ...unsurveyed(),
    newest: null,
    // All that have expired are behind it.
    cursor: { lastUsed: expiredBefore - 1, hash: LAST },
    isBySize: false,
    roots: 0,
    dead: { paths: 0, bytes: 0, expired: 0, too_large: 0 },
    oldest: [],
    removed: { paths: 0, bytes: 0 },
    spared: 0,
    uploads: 0,
    spent: { ...NOTHING_SPENT },
  });
  if (!upstreams) run.phase = "mark";
  if (!isConfigured && !upstreams) {
    stop(
      c,
      run,
      "neither retention_days nor max_size_gb is set, so nothing is ever collected; see docs/operating/retention.md",
    );
  }
  saveRun(c, run);
  return run;
}

/**
 * The `since` of the last collection. Null if last use has not been recorded since then: in a new or rebuilt catalog,
 * and after a time without rules.
 */
function earlierSince(c: CatalogContext): number | null {
  const earlier = GC_RECORD.load(c);
  if (earlier === undefined) return null;
  // Every step checks that the rules still hold.
  const last = earlier.finished ?? earlier.started;
  return c.now() - last <= SINCE_HOLDS_MS ? earlier.state.since : null;
}
