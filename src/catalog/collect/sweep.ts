// The second phase of a collection: deletes the dead paths. Paths of the lowest level, which have no referrers, are
// deleted first, so a crash leaves every closure complete.
import { KINDS, type Kind } from "../../bucket/kinds.ts";
import type { CatalogContext } from "../context.ts";
import { DELETE_BATCH } from "../objects.ts";
import { executeDeletions, resolveKey } from "../publish/resolve.ts";
import { beginDeletions, requireFewDeletions } from "../remove/begin.ts";
import { beginPathDeletion } from "../remove/delete.ts";
import { deletedAmong, deletingReferrers } from "../rows/intents.ts";
import { pinnedOf } from "../rows/pins.ts";
import { publishedAmong } from "../rows/publications.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { type Collection, type GcRun, STEP_COST } from "./collection.ts";

/** Paths deleted in one call of the bucket: each a narinfo, its companions by key, and one whose content names it. */
const BATCH = Math.floor(DELETE_BATCH / (2 + KINDS.filter(isOfPathByKey).length));

function isOfPathByKey({ ownership }: Kind): boolean {
  return ownership.by === "key" && ownership.of !== "nar";
}

/** One transaction checks again whether each path of a batch is dead, and records the intents to delete. */
export async function sweep(c: CatalogContext, run: GcRun): Promise<number> {
  const collection = run.state;
  const batch = c.sql
    .exec<{ key: string }>(
      `SELECT key FROM marks WHERE state = 'dead' AND level =
         (SELECT level FROM marks WHERE state = 'dead' ORDER BY level LIMIT 1) LIMIT ?`,
      BATCH,
    )
    .toArray()
    .map(({ key }) => key);
  if (batch.length === 0) {
    moveTo(c, run, undefined);
    saveRun(c, run);
    return 1;
  }
  requireFewDeletions(c);
  const resolved = await resolveReferrers(c, batch);
  // No await from here to the intents, so no request can use, pin or refer to one of these in between.
  const dying = stillDead(c, batch, collection).filter((hash) => !c.locks.isHeld(hash));
  await c.locks.runAll(dying, async () => {
    const begun = c.transaction(() => {
      const nars = narsOf(c, dying);
      const { keys, skipped } = beginDeletions(c, "gc", dying, (hash) => beginPathDeletion(c, hash));
      collection.removed.bytes += freedBytes(c, nars);
      collection.removed.paths += keys.length;
      collection.spared += batch.length - dying.length;
      const done = new Set([...keys, ...skipped]);
      const left = new Set(dying.filter((hash) => !done.has(hash)));
      const settled = JSON.stringify(batch.filter((hash) => !left.has(hash)));
      c.sql.exec("DELETE FROM marks WHERE key IN (SELECT value FROM json_each(?))", settled);
      run.failures = 0;
      saveRun(c, run);
      return keys;
    });
    await executeDeletions(c, begun);
  });
  return resolved + STEP_COST;
}

/** Finishes deletions of referrers that the bucket has not confirmed: clients may still see these referrers. */
async function resolveReferrers(c: CatalogContext, hashes: readonly string[]): Promise<number> {
  const referrers = new Set(deletingReferrers(c, ...hashes));
  for (const referrer of referrers) await c.locks.run(referrer, () => resolveKey(c, referrer));
  return referrers.size;
}

/** The paths that still are no roots, have no referrers, and are not needed by an operation in flight. */
function stillDead(c: CatalogContext, hashes: readonly string[], { cursor }: Collection): string[] {
  const intended = publishedAmong(c, hashes).union(deletedAmong(c, hashes));
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
    .filter((hash) => !intended.has(hash) && !pinned.has(hash));
}

export function narsOf(c: CatalogContext, hashes: readonly string[]): string[] {
  return c.sql
    .exec<{ nar: string }>(
      "SELECT DISTINCT nar FROM paths WHERE hash IN (SELECT value FROM json_each(?))",
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ nar }) => nar);
}

/** Bytes of those of these NARs that have no path any more. */
export function freedBytes(c: CatalogContext, nars: readonly string[]): number {
  return c.sql
    .exec<{ bytes: number }>(
      `SELECT coalesce(sum(size), 0) AS bytes FROM nars WHERE key IN (SELECT value FROM json_each(?))
       AND path IS NULL`,
      JSON.stringify(nars),
    )
    .one().bytes;
}
