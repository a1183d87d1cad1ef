// The second phase of a large deletion: deletes the paths that have no referrers any more, so that every closure is whole
// whenever it stops. Each path is looked at again before it goes.
import type { CatalogContext } from "../context.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { Refused } from "../refuse.ts";
import { beginDeletions, requireFewDeletions } from "../remove/begin.ts";
import { beginPathDeletion } from "../remove/delete.ts";
import { doom, dropDoomed, nextDoomed, notDoomed, readyDoomed, renewDoomed } from "../rows/doomed.ts";
import { deletingReferrers } from "../rows/intents.ts";
import { pathRow } from "../rows/paths.ts";
import { pinnedOf } from "../rows/pins.ts";
import { publishingReferrers } from "../rows/publications.ts";
import { referencesOf, referrersOf } from "../rows/references.ts";
import { makeUrgent } from "../rows/urgent-nars.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { STEP_COST, stopForPin } from "./find.ts";
import type { DeletionRun } from "./state.ts";

/** Paths deleted in one call of the bucket. */
const BATCH = 100;

export async function deleteFound(c: CatalogContext, run: DeletionRun): Promise<number> {
  requireFewDeletions(c);
  const ready = readyDoomed(c, BATCH);
  if (ready.length === 0) return lookAgain(c, run);
  run.state.again = null;
  return deletePaths(c, run, ready, false);
}

/**
 * All that are left have referrers, as far as was found: these have changed since, or they refer to each other, which only
 * paths of an open cache can do. Looks for paths that have none; if there are none, takes the circle apart.
 */
async function lookAgain(c: CatalogContext, run: DeletionRun): Promise<number> {
  const { state } = run;
  const isCircle = state.again === "";
  const left = nextDoomed(c, state.again ?? "", BATCH);
  if (left.length === 0) {
    if (nextDoomed(c, "", 1).length === 0) moveTo(c, run, undefined);
    else state.again = "";
    saveRun(c, run);
    return 1;
  }
  if (isCircle) return deletePaths(c, run, left, true);
  const free = left.filter((hash) => referrersOf(c, hash, 1).length === 0);
  if (free.length > 0) return deletePaths(c, run, free, false);
  state.again = left.at(-1) ?? "";
  saveRun(c, run);
  return STEP_COST;
}

/**
 * Deletes paths that nothing refers to; where `isCircle`, nothing but paths that go. New referrers go, too, and are found
 * first.
 */
async function deletePaths(
  c: CatalogContext,
  run: DeletionRun,
  hashes: readonly string[],
  isCircle: boolean,
): Promise<number> {
  // These have no row any more, but the bucket has not confirmed that they are gone: clients may still see them.
  const vanishing = deletingReferrers(c, ...hashes);
  for (const referrer of vanishing) await c.locks.run(referrer, () => resolveKey(c, referrer));
  await c.locks.runAll(hashes, async () => {
    // No await from here to the intents, so no request can pin or refer to one of these in between.
    const begun = c.transaction(() => {
      run.failures = 0;
      const [pinned] = pinnedOf(c, hashes);
      if (pinned !== undefined) stopForPin(c, run, pinned);
      const going = pinned === undefined ? hashes.filter((hash) => isFree(c, run, hash, isCircle)) : [];
      const isWaiting = going.length === 0 && run.phase === "delete" && run.finished === undefined;
      if (isWaiting) throw busy(hashes);
      const keys = begin(c, run, going);
      saveRun(c, run);
      return keys;
    });
    await executeDeletions(c, begun);
  });
  return vanishing.length + STEP_COST;
}

function busy([hash = ""]: readonly string[]): Refused {
  return new Refused(
    { kind: "modified-concurrently", key: `${hash}.narinfo` },
    `a path that refers to ${hash} is being published or deleted; it is waited for`,
  );
}

/** Whether no path refers to one. Otherwise the run goes back to find the referrers. */
function isFree(c: CatalogContext, run: DeletionRun, hash: string, isCircle: boolean): boolean {
  if (publishingReferrers(c, hash).length > 0 || deletingReferrers(c, hash).length > 0) return false;
  const referrers = referrersOf(c, hash, isCircle ? BATCH : 1);
  if (isCircle ? notDoomed(c, referrers).length === 0 : referrers.length === 0) return true;
  run.state.found += doom(c, referrers);
  renewDoomed(c, hash);
  run.phase = "find";
  return false;
}

/** Records the intents to delete these paths, as far as one step gets. Returns those whose intent is recorded. */
function begin(c: CatalogContext, run: DeletionRun, going: readonly string[]): readonly string[] {
  const references = new Map(going.map((hash) => [hash, referencesOf(c, hash)]));
  // Others have been deleted meanwhile.
  const rows = new Map(going.flatMap((hash) => pathRow(c, hash) ?? []).map((row) => [row.hash, row.nar]));
  const { keys, skipped } = beginDeletions(c, "deletion", going, (hash) =>
    rows.has(hash) ? beginPathDeletion(c, hash) : 0,
  );
  // What a skipped one refers to stays with it: it keeps that referrer.
  const lost = keys.flatMap((hash) => references.get(hash) ?? []);
  dropDoomed(c, [...keys, ...skipped], lost);
  const begun = keys.filter((hash) => rows.has(hash));
  // The sweep of the same alarm deletes them.
  if (run.state.withNars)
    makeUrgent(
      c,
      begun.flatMap((hash) => rows.get(hash) ?? []),
    );
  run.state.deleted += begun.length;
  return begun;
}
