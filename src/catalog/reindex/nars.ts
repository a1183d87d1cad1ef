// The second phase of a reindex: objects under nar/ and rows of NARs.
import type { CatalogContext } from "../context.ts";
import { isAnyNarBeingDeleted } from "../rows/intents.ts";
import { forgetVanishedNar, importNars } from "../rows/nars.ts";
import { saveRun } from "../runs/run.ts";
import { compareNar } from "../scan/compare.ts";
import { differingNars, listNars } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import type { ReindexRun } from "./state.ts";

export async function reindexNars(c: CatalogContext, run: ReindexRun): Promise<number> {
  const deletions = c.deletions.count;
  const page = await listNars(c, run.checkpoint);
  const { known, unknown, vanished } = differingNars(c, page, run.checkpoint);
  // A NAR without a row is new, unless a deletion was in flight since before the page was listed.
  const isUndisturbed = c.deletions.count === deletions && !isAnyNarBeingDeleted(c);
  const uncertain = isUndisturbed ? vanished : [...vanished, ...unknown.map((object) => object.key)];
  c.transaction(() => importNars(c, isUndisturbed ? [...known, ...unknown] : known));
  const items = uncertain.map((key): Item => ({ key, cost: 1, work: () => reindexNar(c, run, key) }));
  const { done, cost } = await doItems(c, run, items, page.end);
  run.state.counts.nars += page.objects.filter((object) => object.key <= done).length;
  // Without a step of its own: a cache without upstreams has none to ask.
  if (run.phase === "upstreams" && c.config.upstreams.length === 0) run.phase = "references";
  saveRun(c, run);
  return cost;
}

function reindexNar(c: CatalogContext, run: ReindexRun, key: string): Promise<void> {
  return compareNar(c, key, (object) => {
    c.transaction(() => {
      if (object !== null) {
        importNars(c, [object]);
      } else if (forgetVanishedNar(c, key, c.config.graceMs)) {
        run.state.counts.removed++;
        saveRun(c, run);
      }
    });
  });
}
