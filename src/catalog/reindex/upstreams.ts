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
/** Such a step takes about as long as this many bucket operations. */
const BATCH_COST = 10;

/** A checkpoint is the hash part of the last reference that was looked up. */
export async function reindexUpstreams(c: CatalogContext, run: ReindexRun): Promise<number> {
  const references = c.config.upstreams.length === 0 ? [] : distinctReferences(c, run.checkpoint, BATCH);
  const unknown = missingReferences(c, references).sort();
  const asked = unknown.slice(0, maxQuestions(c));
  await askForReferences(c, asked);
  c.transaction(() => {
    moveTo(c, run, asked.length < unknown.length ? asked.at(-1) : references.at(-1));
    saveRun(c, run);
  });
  return BATCH_COST + costOfQuestions(asked.length);
}

export async function forgetUpstreams(c: CatalogContext, run: ReindexRun): Promise<number> {
  c.transaction(() => {
    moveTo(c, run, forgetUnusedUpstreamPaths(c, run.checkpoint, BATCH));
    saveRun(c, run);
  });
  return BATCH_COST;
}
