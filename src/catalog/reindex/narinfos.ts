// The first phase of a reindex: narinfos in the bucket and rows of paths.
import type { CatalogContext } from "../context.ts";
import { note } from "../rows/findings.ts";
import { deletePathRow, indexPath } from "../rows/index-path.ts";
import { saveRun } from "../runs/run.ts";
import { comparePath } from "../scan/compare.ts";
import { differingPaths, listNarInfos } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import type { ReindexRun } from "./state.ts";

export async function reindexNarInfos(c: CatalogContext, run: ReindexRun): Promise<number> {
  const page = await listNarInfos(c, run.checkpoint);
  const items = differingPaths(c, page, run.checkpoint).map(
    (hash): Item => ({ key: `${hash}.narinfo`, cost: 1, work: () => reindexPath(c, run, hash) }),
  );
  const { done, cost } = await doItems(c, run, items, page.end);
  run.state.counts.narinfos += page.objects.filter((object) => object.key <= done).length;
  saveRun(c, run);
  return cost;
}

/** The row and its count are one transaction, so that a repeated step counts nothing twice. */
function reindexPath(c: CatalogContext, run: ReindexRun, hash: string): Promise<void> {
  const { counts } = run.state;
  return comparePath(c, hash, (state) => {
    c.transaction(() => {
      switch (state.kind) {
        case "unindexed":
          indexPath(c, state.found);
          counts.indexed++;
          break;
        case "vanished":
          deletePathRow(c, hash);
          counts.removed++;
          break;
        case "unreadable":
          note(c, run.kind, "unreadable-narinfo", hash, state.found.unreadable);
          if (state.found.mayBeSound) run.state.unreadableNarinfo = hash;
          // Without its row an invalid narinfo counts as missing, so that the next push replaces it. A narinfo that
          // may be valid keeps its row, which protects its NAR.
          if (state.row === undefined || state.found.mayBeSound) return;
          deletePathRow(c, hash);
          counts.removed++;
          break;
        default:
          return;
      }
      saveRun(c, run);
    });
  });
}
