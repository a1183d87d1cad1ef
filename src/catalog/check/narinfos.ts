// The first phase of a check: narinfos in the bucket and rows of paths.
import type { CatalogContext } from "../context.ts";
import { deleteNarInfo } from "../remove/delete.ts";
import { note } from "../rows/findings.ts";
import { deletePathRow, indexPath } from "../rows/index-path.ts";
import { publishingReferrers } from "../rows/publications.ts";
import { saveRun } from "../runs/run.ts";
import { comparePath, type PathState } from "../scan/compare.ts";
import { differingPaths, listNarInfos } from "../scan/differences.ts";
import { doItems, type Item } from "../scan/items.ts";
import { isoTime } from "../times.ts";
import type { CheckRun } from "./state.ts";
import { remember } from "./unindexed.ts";

export async function checkNarInfos(c: CatalogContext, run: CheckRun): Promise<number> {
  const page = await listNarInfos(c, run.checkpoint);
  const items = differingPaths(c, page, run.checkpoint).map(
    (hash): Item => ({
      key: `${hash}.narinfo`,
      cost: run.state.repair ? 2 : 1,
      work: () => comparePath(c, hash, (state) => checkPath(c, run, hash, state)),
    }),
  );
  const { done, cost } = await doItems(c, run, items, page.end);
  run.state.counts.narinfos += page.objects.filter((object) => object.key <= done).length;
  saveRun(c, run);
  return cost;
}

async function checkPath(c: CatalogContext, run: CheckRun, hash: string, state: PathState): Promise<void> {
  const { repair } = run.state;
  switch (state.kind) {
    case "vanished":
      // Safe: the path was not served any more, and without its row the next push brings it back.
      return c.transaction(() => {
        const name = `${hash}-${state.row.name}`;
        note(c, run.kind, "vanished-narinfo", name, "is in the catalog, but not in the bucket", repair);
        if (repair) deletePathRow(c, hash);
      });
    case "unindexed":
      return c.transaction(() => {
        const why = state.row === undefined ? "is not in the catalog" : "is in the catalog as it was before";
        const name = state.found.info.storePath.baseName;
        note(
          c,
          run.kind,
          "unindexed-narinfo",
          name,
          `${why}; written ${isoTime(state.found.uploaded)}`,
          repair,
        );
        if (repair) indexPath(c, state.found);
        else remember(c, hash, state.found);
      });
    case "unreadable": {
      const { unreadable, mayBeSound } = state.found;
      // A client stops or warns at this narinfo; at a 404 it asks the next cache, and a pusher pushes again. A
      // narinfo that another store or tool may read is no damage, and a path that a publication relies on stays.
      if (repair && !mayBeSound && publishingReferrers(c, hash).length === 0) {
        return deleteNarInfo(c, hash, () => note(c, run.kind, "unreadable-narinfo", hash, unreadable, true));
      }
      return c.transaction(() => {
        note(c, run.kind, "unreadable-narinfo", hash, unreadable);
        remember(c, hash, state.found);
      });
    }
  }
}
