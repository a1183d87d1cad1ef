// Fills a catalog with made-up paths through the product's own statements: the layout of the tables is nowhere but in
// src/catalog/.
import { COLLECT } from "../src/catalog/collect/collect.ts";
import type { CatalogContext } from "../src/catalog/context.ts";
import { startReindex } from "../src/catalog/reindex/state.ts";
import { indexPath } from "../src/catalog/rows/index-path.ts";
import { requestRun } from "../src/catalog/runs/engine.ts";
import { saveRun } from "../src/catalog/runs/run.ts";
import { formatNarInfo, parseNarInfo } from "../src/nix/narinfo.ts";
import { type Graph, hashOf, nameOf } from "./catalog-graph.ts";
import { narInfoOf } from "./narinfo.ts";

/** As after a reindex, and long after the first collection, if the cache collects. The catalog is still empty. */
export async function prepareCatalog(c: CatalogContext): Promise<void> {
  const reindex = startReindex(c);
  reindex.finished = reindex.completed = c.now();
  saveRun(c, reindex);
  await requestRun(c, COLLECT, { dry_run: true });
  c.sql.exec("UPDATE runs SET state = json_set(state, '$.state.since', 0) WHERE kind = 'gc'");
}

/** Indexes the paths with the numbers `from` up to `to`, in one transaction. Their objects are in no bucket. */
export function fillCatalog(c: CatalogContext, graph: Graph, from: number, to: number): void {
  const now = c.now();
  c.transaction(() => {
    for (let path = from; path < to; path++) {
      const info = parseNarInfo(narInfoOf(path, graph.references(path).map(nameOf)), c.config.storeDir);
      const pushed = now - graph.age(path);
      indexPath(c, {
        ...{ info, text: formatNarInfo(info), etag: hashOf(path) },
        ...{ uploaded: pushed, firstPush: pushed, pushedBy: "PUSH_TOKEN" },
      });
    }
  });
}
