// The phases of a reindex that concern upstreams; they need the rows of all paths. First the upstreams are asked for
// references that are not here, then it is forgotten what nothing refers to.
import type { CatalogContext } from "../context.ts";
import { missingReferences } from "../rows/paths.ts";
import { distinctReferences } from "../rows/references.ts";
import { forgetUnusedUpstreamPaths } from "../rows/upstream-paths.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { askForReferences, costOfQuestions, maxQuestions } from "../scan/upstream-references.ts";
import type { ReindexRun } from "./state.ts";

/** References that one step looks up, and rows of `upstream_paths`. */
const BATCH = 2000;
/** As many rows take about as long as an operation of the bucket. */
const ROWS_OF_AN_OPERATION = 200;

/** A checkpoint is the hash part of the last reference that was looked up. */
export async function reindexUpstreams(c: CatalogContext, run: ReindexRun): Promise<number> {
  const references = c.config.upstreams.length === 0 ? [] : distinctReferences(c, run.checkpoint, BATCH);
  const unknown = missingReferences(c, references).sort();
  const asked = unknown.slice(0, maxQuestions(c));
  await askForReferences(c, asked);
  c.transaction(() => {
    const isAll = asked.length === unknown.length;
    const last = references.length < BATCH ? undefined : references.at(-1);
    moveTo(c, run, isAll ? last : asked.at(-1));
    saveRun(c, run);
  });
  return 1 + references.length / ROWS_OF_AN_OPERATION + costOfQuestions(asked.length);
}

export async function forgetUpstreams(c: CatalogContext, run: ReindexRun): Promise<number> {
  return c.transaction(() => {
    const { count, last } = forgetUnusedUpstreamPaths(c, run.checkpoint, BATCH);
    moveTo(c, run, count < BATCH ? undefined : last);
    saveRun(c, run);
    return 1 + count / ROWS_OF_AN_OPERATION;
  });
}
