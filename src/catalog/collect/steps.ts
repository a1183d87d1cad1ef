// The steps of a collection: marking, then the sweep level by level, then uploads that nobody has published.

import { collects } from "../../config/retention.ts";
import type { PhaseOf } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { addSpent, metered } from "../meter.ts";
import { executeDeletions, resolveKey } from "../publish/settle.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { unreadablePin } from "../reindex/pins.ts";
import { beginPathDeletion } from "../remove/delete.ts";
import { deletingReferrers, intentNars, intentPaths } from "../rows/intents.ts";
import { pinnedOf } from "../rows/pins.ts";
import type { Step } from "../runs/engine.ts";
import { BLOCKED, loadRun, moveTo, type Run, saveRun, startRun } from "../runs/runs.ts";
import { type Collection, rulesOf } from "./collection.ts";
import { mark } from "./mark.ts";
import { finish, requireSoundConfig, stop } from "./request.ts";

/** Paths that go in one call of the bucket, with a listing, a log and a realisation each. */
const SWEEP_BATCH = 250;
/** NARs that are looked at in one step. */
const UPLOADS_BATCH = 5000;
/** A step takes as long as so many bucket operations. */
const STEP_COST = 10;

type GcStep = (c: CatalogContext, run: Run, collection: Collection) => Promise<number>;

export const GC_STEPS: Record<PhaseOf<"gc">, Step> = {
  mark: step(mark),
  sweep: step(sweep),
  uploads: step(releaseUploads),
};

/** What holds for every step: by the rules with which it began, over a catalog that knows the bucket, and counted. */
function step(work: GcStep): Step {
  return async (c, run) => {
    const { collection } = run;
    if (collection === undefined) throw new Error("a gc without a collection");
    // Before the look for mistakes: with one in its rules a cache has none, and wants are not noted until it is mended.
    if (JSON.stringify(rulesOf(c)) !== JSON.stringify(collection.rules)) {
      if (!collects(c.config)) collection.since = null;
      stop(c, run, "the configuration was changed meanwhile; the next collection goes by the new rules");
      return 0;
    }
    await requireSoundConfig(c);
    if (c.now() < run.started) {
      // What is wanted now would be noted as older than what it has passed.
      stop(c, run, "the clock was set back meanwhile; the next collection begins anew");
      return 0;
    }
    if (!isIndexed(c)) {
      // What the catalog does not know could refer to what is to go. The reindex is done first; then this goes on.
      if (loadRun(c, "reindex")?.finished !== undefined || loadRun(c, "reindex") === undefined) {
        startRun(c, "reindex", false);
      }
      return BLOCKED;
    }
    const mystery = mysteryIn(c);
    if (mystery !== undefined) {
      stop(c, run, mystery);
      return 0;
    }
    const { context, spent } = metered(c);
    try {
      return await work(context, run, collection);
    } finally {
      keepSpent(c, run, addSpent(collection.spent, spent()));
    }
  };
}

/** Of what the last reindex has met: something that may hold paths, and nobody knows which. With what to do. */
function mysteryIn(c: CatalogContext): string | undefined {
  const pin = unreadablePin(c);
  if (pin !== undefined) {
    return `pins/${pin} in the bucket cannot be read, so that nobody knows what it keeps: PUT that pin again, or delete the object and POST /api/v1/reindex`;
  }
  const obscure = loadRun(c, "reindex")?.unreadableNarinfo;
  if (obscure === undefined) return undefined;
  return `${obscure}.narinfo in the bucket cannot be read here and may be sound, so that nobody knows what it needs: push that path again, or delete the object, then POST /api/v1/reindex`;
}

/** Also of a step that failed, whose other changes of `run` do not count. */
function keepSpent(c: CatalogContext, run: Run, spent: Collection["spent"]): void {
  const written = loadRun(c, run.kind);
  if (run.collection !== undefined) run.collection.spent = spent;
  if (written?.collection === undefined) return;
  written.collection.spent = spent;
  saveRun(c, written);
}

/**
 * Deletes dead paths to which nothing refers any more: those of the lowest level, so that every closure stays whole
 * wherever it dies. In one transaction it looks again whether each is dead, and writes the intentions.
 */
async function sweep(c: CatalogContext, run: Run, collection: Collection): Promise<number> {
  const batch = c.sql
    .exec<{ key: string }>(
      `SELECT key FROM marks WHERE state = 'dead' AND level =
         (SELECT level FROM marks WHERE state = 'dead' ORDER BY level LIMIT 1) LIMIT ?`,
      SWEEP_BATCH,
    )
    .toArray()
    .map(({ key }) => key);
  if (batch.length === 0) {
    moveTo(c, run, undefined);
    saveRun(c, run);
    return 1;
  }
  const settled = await settleReferrers(c, batch);
  // No await from here to the intentions: nobody can want, pin or refer to one of these in between.
  const going = stillDead(c, batch, collection).filter((hash) => !c.locks.isHeld(hash));
  await c.locks.runAll(going, async () => {
    c.transaction(() => {
      collection.removed.bytes += deleteAll(c, going);
      collection.removed.paths += going.length;
      collection.spared += batch.length - going.length;
      c.sql.exec("DELETE FROM marks WHERE key IN (SELECT value FROM json_each(?))", JSON.stringify(batch));
      run.failures = 0;
      saveRun(c, run);
    });
    await executeDeletions(c, going);
  });
  return settled + STEP_COST;
}

/** Referrers that have been deleted, and that clients may still see, because the bucket failed. */
async function settleReferrers(c: CatalogContext, hashes: readonly string[]): Promise<number> {
  const referrers = new Set(hashes.flatMap((hash) => deletingReferrers(c, hash)));
  for (const referrer of referrers) await c.locks.run(referrer, () => resolveKey(c, referrer));
  return referrers.size;
}

/** Those that are still no roots, and that nothing refers to or is about to. */
function stillDead(c: CatalogContext, hashes: readonly string[], { cursor }: Collection): string[] {
  const pending = intentPaths(c);
  const pinned = pinnedOf(c, hashes);
  return c.sql
    .exec<{ hash: string }>(
      `SELECT hash FROM paths WHERE hash IN (SELECT value FROM json_each(?)) AND (wanted, hash) <= (?, ?)
       AND NOT EXISTS (SELECT 1 FROM refs WHERE reference = hash)`,
      JSON.stringify(hashes),
      cursor.lastUsed,
      cursor.hash,
    )
    .toArray()
    .map(({ hash }) => hash)
    .filter((hash) => !pending.has(hash) && !pinned.has(hash));
}

/** The bytes of the NARs that have no path any more. Call it in a transaction. */
function deleteAll(c: CatalogContext, hashes: readonly string[]): number {
  const nars = c.sql
    .exec<{ nar: string }>(
      "SELECT DISTINCT nar FROM paths WHERE hash IN (SELECT value FROM json_each(?))",
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ nar }) => nar);
  for (const hash of hashes) beginPathDeletion(c, hash);
  return c.sql
    .exec<{ bytes: number }>(
      `SELECT coalesce(sum(size), 0) AS bytes FROM nars WHERE key IN (SELECT value FROM json_each(?))
       AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key)`,
      JSON.stringify(nars),
    )
    .one().bytes;
}

/** NARs that were uploaded and never published: released, so that the sweep of NARs takes them after its grace. */
async function releaseUploads(c: CatalogContext, run: Run, collection: Collection): Promise<number> {
  c.transaction(() => {
    const { end } = c.sql
      .exec<{ end: string | null }>(
        "SELECT max(key) AS end FROM (SELECT key FROM nars WHERE key > ? ORDER BY key LIMIT ?)",
        run.checkpoint,
        UPLOADS_BATCH,
      )
      .one();
    if (end === null) return finish(c, run);
    const released = c.sql
      .exec(
        `UPDATE nars SET released = ?1 WHERE key > ?2 AND key <= ?3 AND released IS NULL
         AND max(uploaded, seen) <= ?4 AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key)
         AND key NOT IN (SELECT value FROM json_each(?5)) RETURNING key`,
        c.now(),
        run.checkpoint,
        end,
        c.now() - c.config.graceMs,
        JSON.stringify([...intentNars(c)]),
      )
      .toArray().length;
    if (released > 0) c.wakeForSweep();
    collection.uploads += released;
    moveTo(c, run, end);
    saveRun(c, run);
  });
  return STEP_COST;
}
