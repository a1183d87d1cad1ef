// Reindex: makes the catalog say what the bucket holds, while the cache goes on serving, accepting and deleting.
//
// It walks the listing and touches only what differs. What happens meanwhile cannot mislead it, because a page is
// never believed where it contradicts the catalog; there the one key is looked at again, under its lock:
// - A path published after its page was listed has a row that the page does not know: its narinfo is there.
// - A path deleted after its page was listed is in the page and has no row: there is nothing to read any more.
// - A path rewritten after its page was listed has another etag than the page says: row and narinfo agree.
// - A publication or deletion under way holds the lock until row and bucket agree; one that a dead process left is
//   settled first. The row follows the reading before the lock is released.
import type { PhaseOf, ReindexReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { findingsOf, note } from "../rows/findings.ts";
import { isAnyNarBeingDeleted } from "../rows/intents.ts";
import { forgetVanishedNar, importNars } from "../rows/nars.ts";
import { deletePathRow, indexPath } from "../rows/paths.ts";
import type { Step } from "../runs/engine.ts";
import { loadRun, moveTo, type Run, runReport, saveRun } from "../runs/runs.ts";
import { compareNar, comparePath } from "../scan/compare.ts";
import { differingNars, differingPaths, listNarInfos, listNars } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import { reindexCompanions } from "./companions.ts";
import { reindexPins } from "./pins.ts";

/** Unreadable narinfos that a report names. */
const MAX_NAMED = 20;
/** Paths whose references are looked at in one step. */
const REFERENCES_BATCH = 2000;
/** Looking at them takes as long as so many bucket operations, and nothing else gets in between. */
const BATCH_COST = 10;

/** `undefined` where none has been asked for yet. */
export function reindexReport(c: CatalogContext): ReindexReport | undefined {
  const run = loadRun(c, "reindex");
  return (
    run && {
      ...runReport(run),
      indexed: run.counts.indexed,
      removed: run.counts.removed,
      unreadable: findingsOf(c, "reindex", "unreadable-narinfo", MAX_NAMED),
      unreadable_pins: findingsOf(c, "reindex", "unreadable-pin", MAX_NAMED),
    }
  );
}

/** NARs come after the narinfos, because indexing a narinfo supposes that its NAR is there and as it says. */
export const REINDEX_STEPS: Record<PhaseOf<"reindex">, Step> = {
  narinfos: reindexNarInfos,
  nars: reindexNars,
  references: markIncomplete,
  companions: reindexCompanions,
  pins: reindexPins,
};

async function reindexNarInfos(c: CatalogContext, run: Run): Promise<number> {
  const page = await listNarInfos(c, run.checkpoint);
  const items = differingPaths(c, page, run.checkpoint).map(
    (hash): Item => ({ key: `${hash}.narinfo`, cost: 1, work: () => reindexPath(c, run, hash) }),
  );
  const { done, cost } = await doItems(c, run, items, page.end);
  run.counts.narinfos += page.objects.filter((object) => object.key <= done).length;
  saveRun(c, run);
  return cost;
}

/** The row and the count of it are one transaction, so that a step that is done again counts nothing twice. */
function reindexPath(c: CatalogContext, run: Run, hash: string): Promise<void> {
  return comparePath(c, hash, (state) => {
    c.transaction(() => {
      switch (state.kind) {
        case "unindexed":
          indexPath(c, state.found);
          run.counts.indexed++;
          break;
        case "vanished":
          deletePathRow(c, hash);
          run.counts.removed++;
          break;
        case "unreadable":
          note(c, run.kind, "unreadable-narinfo", hash, state.found.unreadable);
          if (state.found.mayBeSound) run.unreadableNarinfo = hash;
          // A path that nobody can read is missing, so that the next push of it heals. But what may be sound keeps
          // its row, and with it its NAR.
          if (state.row === undefined || state.found.mayBeSound) return;
          deletePathRow(c, hash);
          run.counts.removed++;
          break;
        default:
          return;
      }
      saveRun(c, run);
    });
  });
}

async function reindexNars(c: CatalogContext, run: Run): Promise<number> {
  const deletions = c.deletions.count;
  const page = await listNars(c, run.checkpoint);
  const { known, unknown, vanished } = differingNars(c, page, run.checkpoint);
  // A NAR without a row may be one that has been deleted since the page was listed, or is about to be. If there is
  // nothing of that kind, it is new.
  const isUndisturbed = c.deletions.count === deletions && !isAnyNarBeingDeleted(c);
  const doubtful = isUndisturbed ? vanished : [...vanished, ...unknown.map((object) => object.key)];
  c.transaction(() => importNars(c, isUndisturbed ? [...known, ...unknown] : known));
  const items = doubtful.map((key): Item => ({ key, cost: 1, work: () => reindexNar(c, run, key) }));
  const { done, cost } = await doItems(c, run, items, page.end);
  run.counts.nars += page.objects.filter((object) => object.key <= done).length;
  saveRun(c, run);
  return cost;
}

function reindexNar(c: CatalogContext, run: Run, key: string): Promise<void> {
  return compareNar(c, key, (object) => {
    c.transaction(() => {
      if (object !== null) {
        importNars(c, [object]);
      } else if (forgetVanishedNar(c, key, c.config.graceMs)) {
        run.counts.removed++;
        saveRun(c, run);
      }
    });
  });
}

/** Now that all paths are known: which of them refer to what is not here. */
async function markIncomplete(c: CatalogContext, run: Run): Promise<number> {
  c.transaction(() => {
    const end = c.sql
      .exec<{ hash: string | null }>(
        "SELECT max(hash) AS hash FROM (SELECT hash FROM paths WHERE hash > ? ORDER BY hash LIMIT ?)",
        run.checkpoint,
        REFERENCES_BATCH,
      )
      .one().hash;
    if (end !== null) {
      c.sql.exec(
        `UPDATE paths SET incomplete = 1 - incomplete WHERE hash > ? AND hash <= ? AND incomplete <> EXISTS (
           SELECT 1 FROM refs WHERE referrer = paths.hash
           AND NOT EXISTS (SELECT 1 FROM paths AS referred WHERE referred.hash = refs.reference))`,
        run.checkpoint,
        end,
      );
    }
    moveTo(c, run, end ?? undefined);
    saveRun(c, run);
  });
  return BATCH_COST;
}
