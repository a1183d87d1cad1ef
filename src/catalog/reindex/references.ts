// The third phase of a reindex: finds paths with missing references. It needs the rows of all paths.
import type { CatalogContext } from "../context.ts";
import { IS_UPSTREAM, upstreamList } from "../rows/upstream-paths.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import type { ReindexRun } from "./state.ts";

/** Paths per step. */
const BATCH = 2000;
/** Such a step takes about as long as this many bucket operations, and does not yield. */
const BATCH_COST = 10;

export async function markIncomplete(c: CatalogContext, run: ReindexRun): Promise<number> {
  c.transaction(() => {
    const end = c.sql
      .exec<{ hash: string | null }>(
        "SELECT max(hash) AS hash FROM (SELECT hash FROM paths WHERE hash > ? ORDER BY hash LIMIT ?)",
        run.checkpoint,
        BATCH,
      )
      .one().hash;
    if (end !== null) {
      c.sql.exec(
        `UPDATE paths SET incomplete = 1 - incomplete WHERE hash > ?1 AND hash <= ?2 AND incomplete <> EXISTS (
           SELECT 1 FROM refs WHERE referrer = paths.hash
           AND NOT EXISTS (SELECT 1 FROM paths AS referred WHERE referred.hash = refs.reference)
           AND NOT ${IS_UPSTREAM("refs.reference", "?3")})`,
        run.checkpoint,
        end,
        upstreamList(c),
      );
    }
    moveTo(c, run, end ?? undefined);
    saveRun(c, run);
  });
  return BATCH_COST;
}
