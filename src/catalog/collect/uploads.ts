// The last phase of a collection: NARs that were uploaded and never published are released, for the sweep of NARs to
// delete after their grace period.
import type { CatalogContext } from "../context.ts";
import { INTENT_NARS } from "../rows/intents.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { type GcRun, STEP_COST } from "./collection.ts";
import { finish } from "./end.ts";

/** NARs per step. */
const BATCH = 5000;

export async function releaseUploads(c: CatalogContext, run: GcRun): Promise<number> {
  c.transaction(() => {
    const { end } = c.sql
      .exec<{ end: string | null }>(
        "SELECT max(key) AS end FROM (SELECT key FROM nars WHERE key > ? ORDER BY key LIMIT ?)",
        run.checkpoint,
        BATCH,
      )
      .one();
    if (end === null) return finish(c, run);
    const released = c.sql
      .exec(
        `UPDATE nars SET released = ?1 WHERE key > ?2 AND key <= ?3 AND released IS NULL
         AND max(uploaded, seen) <= ?4 AND NOT EXISTS (SELECT 1 FROM paths WHERE nar = key)
         AND key NOT IN (${INTENT_NARS}) RETURNING key`,
        c.now(),
        run.checkpoint,
        end,
        c.now() - c.config.graceMs,
      )
      .toArray().length;
    if (released > 0) c.wakeForSweep();
    run.state.uploads += released;
    moveTo(c, run, end);
    saveRun(c, run);
  });
  return STEP_COST;
}
