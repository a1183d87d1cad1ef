// The phase of a collection that was asked to remove what upstreams have. Their referrers have such paths there, so that
// the order of the deletions does not matter.
import { collects } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import { executeDeletions } from "../publish/resolve.ts";
import { intentPaths } from "../rows/intents.ts";
import { pinnedOf } from "../rows/pins.ts";
import { saveUpstreamPaths } from "../rows/upstream-paths.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { askUpstreams, costOfQuestions, maxQuestions } from "../scan/upstream-references.ts";
import { type Collection, clearMarks, type GcRun, STEP_COST } from "./collection.ts";
import { finish } from "./end.ts";
import { loseNars } from "./mark.ts";
import { beginDeletions } from "./sweep.ts";
import { countAll } from "./totals.ts";

interface Candidate extends Record<string, SqlStorageValue> {
  hash: string;
  name: string;
}

/** A checkpoint is the hash part of the last path that was asked for. */
export async function removeUpstream(c: CatalogContext, run: GcRun): Promise<number> {
  const collection = run.state;
  collection.before ??= countAll(c);
  const batch = c.sql
    .exec<Candidate>(
      "SELECT hash, name FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
      run.checkpoint,
      maxQuestions(c),
    )
    .toArray();
  const last = batch.at(-1)?.hash;
  if (last === undefined) {
    c.transaction(() => endPhase(c, run));
    return 1;
  }
  const pinned = pinnedOf(
    c,
    batch.map(({ hash }) => hash),
  );
  const found = await askUpstreams(
    c,
    batch.map(({ hash }) => hash).filter((hash) => !pinned.has(hash)),
  );
  const baseNames = new Map(found.map(({ path }) => [path.slice(0, 32), path]));
  const isSame = ({ hash, name }: Candidate) => baseNames.get(hash) === `${hash}-${name}`;
  if (collection.dryRun) {
    c.transaction(() => {
      const going = batch.filter(isSame).map(({ hash }) => hash);
      count(collection, going.length, going.length === 0 ? 0 : loseNars(c, JSON.stringify(going)));
      moveTo(c, run, last);
      saveRun(c, run);
    });
    return STEP_COST + costOfQuestions(batch.length);
  }
  // No await from here to the intents, so no request can pin one of these or be publishing it in between.
  const dying = stillHere(c, batch.filter(isSame)).filter((hash) => !c.locks.isHeld(hash));
  await c.locks.runAll(dying, async () => {
    c.transaction(() => {
      saveUpstreamPaths(c, found);
      const bytes = beginDeletions(c, dying);
      count(collection, dying.length, bytes);
      collection.removed.paths += dying.length;
      collection.removed.bytes += bytes;
      moveTo(c, run, last);
      saveRun(c, run);
    });
    await executeDeletions(c, dying);
  });
  return STEP_COST + costOfQuestions(batch.length);
}

function stillHere(c: CatalogContext, paths: readonly Candidate[]): string[] {
  const hashes = paths.map(({ hash }) => hash);
  const intended = intentPaths(c);
  const pinned = pinnedOf(c, hashes);
  return c.sql
    .exec<Candidate>(
      "SELECT hash, name FROM paths WHERE hash IN (SELECT value FROM json_each(?))",
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

/** A cache that collects nothing by itself has no further phase. */
function endPhase(c: CatalogContext, run: GcRun): void {
  clearMarks(c);
  if (!collects(c.config)) {
    finish(c, run);
  } else {
    moveTo(c, run, undefined);
    saveRun(c, run);
  }
}
