// Deletes the NARs of deleted paths at once, with their companions: a leaked secret must not stay for a grace period. The
// transaction that removes the paths has marked them, so that after a crash the next sweep deletes them.
import type { KeptNar } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { DELETE_BATCH } from "../objects.ts";
import { executeDeletions } from "../publish/resolve.ts";
import { isNarReferred, pathsOfNar } from "../rows/nar-paths.ts";
import { isNarBeingPublished } from "../rows/publications.ts";
import { isNarOfUnindexed } from "../rows/unindexed.ts";
import { isNarOfDeletion, isSentAgain } from "../rows/urgent-nars.ts";
import { beginDeletions } from "./begin.ts";
import { beginNarDeletion } from "./sweep.ts";

export interface RemovedNars {
  readonly removed_nars: string[];
  readonly kept_nars: KeptNar[];
}

const STUCK = "its deletion could not be recorded; the Worker's log says why";
const LATER = "it has so many companions that an alarm goes on with it, within minutes";

/** Deletes these NARs, except those that something needs, and drops them from the edge. */
export async function deleteNarsAtOnce(c: CatalogContext, nars: readonly string[]): Promise<RemovedNars> {
  const result: RemovedNars = { removed_nars: [], kept_nars: [] };
  for (let start = 0; start < nars.length; start += DELETE_BATCH) {
    const batch = nars.slice(start, start + DELETE_BATCH);
    await c.locks.runAll(batch, async () => {
      const reasons = batch.map((nar) => [nar, reasonToKeep(c, nar)] as const);
      const going = reasons.flatMap(([nar, reason]) => (reason === undefined ? [nar] : []));
      // No await since the reasons: a publication that needs one is recorded before, or finds the NAR missing.
      const { keys, skipped } = c.transaction(() =>
        beginDeletions(c, "deletion", going, (nar) => beginNarDeletion(c, nar)),
      );
      await executeDeletions(c, keys);
      result.removed_nars.push(...keys);
      const [begun, stuck] = [new Set(keys), new Set(skipped)];
      for (const nar of going.filter((nar) => !begun.has(nar))) {
        result.kept_nars.push({ nar, reason: stuck.has(nar) ? STUCK : LATER });
      }
      for (const [nar, reason] of reasons) if (reason !== undefined) result.kept_nars.push({ nar, reason });
    });
  }
  return result;
}

/** `undefined` where nothing needs the NAR. */
function reasonToKeep(c: CatalogContext, nar: string): string | undefined {
  if (isNarReferred(c, nar)) {
    const [other] = pathsOfNar(c, nar, "", 1);
    return `${other?.hash} has it, too: delete that path as well`;
  }
  if (isNarBeingPublished(c, nar)) {
    return "a push is publishing it, or was interrupted while it did; it goes if that does not succeed within some minutes";
  }
  if (isNarOfDeletion(c, nar)) return "another path that has it is being deleted; it goes after that";
  if (isNarOfUnindexed(c, nar)) return "a narinfo that is not in the catalog has it; POST /api/v1/reindex";
  if (isSentAgain(c, nar)) return "a pusher sends it again; it goes a day later if nothing has it then";
  return undefined;
}
