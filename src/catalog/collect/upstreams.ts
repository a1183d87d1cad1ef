// The phase of a collection that was asked to remove what upstreams have. Their referrers have such paths there, so that
// the order of the deletions does not matter.
import { collects } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import { executeDeletions } from "../publish/resolve.ts";
import { beginDeletions, requireFewDeletions } from "../remove/begin.ts";
import { beginPathDeletion } from "../remove/delete.ts";
import { deletedAmong } from "../rows/intents.ts";
import { pinnedOf } from "../rows/pins.ts";
import { publishedAmong } from "../rows/publications.ts";
import { saveUpstreamPaths } from "../rows/upstream-paths.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { askUpstreams, costOfQuestions, maxQuestions } from "../scan/upstream-references.ts";
import { type Collection, clearMarks, type GcRun, STEP_COST, unsurveyed } from "./collection.ts";
import { finish } from "./end.ts";
import { loseNars } from "./mark.ts";
import { countNars } from "./survey.ts";
import { freedBytes, narsOf } from "./sweep.ts";

interface Candidate extends Record<string, SqlStorageValue> {
  hash: string;
  name: string;
  nar: string;
}

/** NARs whose bytes one step counts. */
const COUNTED = 20_000;
/** Marks that one step deletes. */
const MAX_CLEARED = 5_000;
/** A step asks for few paths, so that it takes about as long as this many bucket operations and its questions. */
const SMALL_STEP_COST = 4;

/** A checkpoint is the hash part of the last path that was asked for. */
export async function removeUpstream(c: CatalogContext, run: GcRun): Promise<number> {
  const collection = run.state;
  if (!isCounted(c, run)) return STEP_COST;
  if (!collection.dryRun) requireFewDeletions(c);
  const batch = c.sql
    .exec<Candidate>(
      "SELECT hash, name, nar FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
      run.checkpoint,
      maxQuestions(c),
    )
    .toArray();
  const hashes = batch.map(({ hash }) => hash);
  const last = hashes.at(-1);
  if (last === undefined) {
    c.transaction(() => endPhase(c, run));
    return SMALL_STEP_COST;
  }
  const pinned = pinnedOf(c, hashes);
  const found = await askUpstreams(
    c,
    hashes.filter((hash) => !pinned.has(hash)),
    true,
  );
  const baseNames = new Set(found.map(({ path }) => path));
  const going = batch.filter(({ hash, name }) => baseNames.has(`${hash}-${name}`));
  if (collection.dryRun) {
    c.transaction(() => {
      count(collection, going.length, loseNars(c, going));
      moveOn(c, run, hashes, undefined);
    });
    return SMALL_STEP_COST + costOfQuestions(batch.length - pinned.size);
  }
  // No await from here to the intents, so no request can pin one of these or be publishing it in between.
  const dying = stillHere(c, going).filter((hash) => !c.locks.isHeld(hash));
  await c.locks.runAll(dying, async () => {
    const begun = c.transaction(() => {
      saveUpstreamPaths(c, found);
      const nars = narsOf(c, dying);
      const { keys, skipped } = beginDeletions(c, "gc", dying, (hash) => beginPathDeletion(c, hash));
      const bytes = freedBytes(c, nars);
      count(collection, keys.length, bytes);
      collection.removed.paths += keys.length;
      collection.removed.bytes += bytes;
      const done = new Set([...keys, ...skipped]);
      moveOn(
        c,
        run,
        hashes,
        dying.find((hash) => !done.has(hash)),
      );
      return keys;
    });
    await executeDeletions(c, begun);
  });
  return SMALL_STEP_COST + costOfQuestions(batch.length - pinned.size);
}

/** Counts the bytes of NARs, as far as one step gets. Whether it is done. */
function isCounted(c: CatalogContext, run: GcRun): boolean {
  const { surveyed } = run.state;
  if (surveyed.nars === null) return true;
  c.transaction(() => {
    for (let done = 0; done < COUNTED && surveyed.nars !== null; ) done += countNars(c, run.state);
    run.failures = 0;
    saveRun(c, run);
  });
  return surveyed.nars === null;
}

/** In their order. */
function stillHere(c: CatalogContext, paths: readonly Candidate[]): string[] {
  const hashes = paths.map(({ hash }) => hash);
  const intended = publishedAmong(c, hashes).union(deletedAmong(c, hashes));
  const pinned = pinnedOf(c, hashes);
  return c.sql
    .exec<Pick<Candidate, "hash" | "name">>(
      "SELECT hash, name FROM paths WHERE hash IN (SELECT value FROM json_each(?)) ORDER BY hash",
      JSON.stringify(hashes),
    )
    .toArray()
    .filter(({ hash, name }) => paths.some((path) => path.hash === hash && path.name === name))
    .map(({ hash }) => hash)
    .filter((hash) => !intended.has(hash) && !pinned.has(hash));
}

function count(collection: Collection, paths: number, bytes: number): void {
  const { upstream = { paths: 0, bytes: 0 } } = collection;
  collection.upstream = { paths: upstream.paths + paths, bytes: upstream.bytes + bytes };
}

/** Moves behind all of these paths, or before the first for which this step had no room. */
function moveOn(c: CatalogContext, run: GcRun, hashes: readonly string[], left: string | undefined): void {
  const passed = left === undefined ? hashes : hashes.slice(0, hashes.indexOf(left));
  run.state.before.paths += passed.length;
  run.failures = 0;
  moveTo(c, run, passed.at(-1) ?? run.checkpoint);
  saveRun(c, run);
}

/** A cache that collects nothing by itself has no further phase. */
function endPhase(c: CatalogContext, run: GcRun): void {
  if (!collects(c.config)) {
    finish(c, run);
    return;
  }
  // Otherwise the next step comes here again.
  if (clearMarks(c, MAX_CLEARED)) return;
  run.state.began = run.state.before;
  Object.assign(run.state, unsurveyed());
  moveTo(c, run, undefined);
  saveRun(c, run);
}
