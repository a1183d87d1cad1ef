// The phase of a reindex in which the upstreams are asked for references that are not here. It needs the rows of all paths.
import type { CatalogContext } from "../context.ts";
import { forgetUnusedUpstreamPaths, IS_UPSTREAM, upstreamList } from "../rows/upstream-paths.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { askForReferences, costOfQuestions, maxQuestions } from "../scan/upstream-references.ts";
import type { ReindexRun } from "./state.ts";

/** A checkpoint is the hash part of the last reference that was asked for. */
export async function reindexUpstreams(c: CatalogContext, run: ReindexRun): Promise<number> {
  const limit = maxQuestions(c);
  const unknown = c.sql
    .exec<{ reference: string }>(
      `SELECT DISTINCT reference FROM refs WHERE reference > ?1
       AND NOT EXISTS (SELECT 1 FROM paths WHERE hash = reference) AND NOT ${IS_UPSTREAM("reference", "?2")}
       ORDER BY reference LIMIT ?3`,
      run.checkpoint,
      upstreamList(c),
      limit,
    )
    .toArray()
    .map(({ reference }) => reference);
  await askForReferences(c, unknown);
  c.transaction(() => {
    const isLast = unknown.length < limit;
    if (isLast) forgetUnusedUpstreamPaths(c);
    moveTo(c, run, isLast ? undefined : unknown.at(-1));
    saveRun(c, run);
  });
  return 1 + costOfQuestions(unknown.length);
}
