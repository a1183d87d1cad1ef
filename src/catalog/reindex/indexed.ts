// Whether the whole bucket is indexed. An unindexed narinfo could refer to an object that is about to be deleted:
// another tool or an earlier version may have filled the bucket, or the Durable Object may have lost its data. So
// nothing is deleted before a first reindex has ended; a later reindex delays no deletion.
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { requestRun } from "../runs/engine.ts";
import { lastCompleted } from "../runs/run.ts";
import { REINDEX } from "./reindex.ts";
import { REINDEX_RECORD } from "./state.ts";

export function isIndexed(c: CatalogContext): boolean {
  return lastCompleted(c, "reindex") !== undefined;
}

/**
 * Continues the first reindex as far as one invocation gets, which is its end if the bucket is small. Throws {@link
 * Refused} being-indexed if it has not ended.
 */
export async function requireIndex(c: CatalogContext): Promise<void> {
  if (isIndexed(c)) return;
  await requestRun(c, REINDEX, {});
  if (isIndexed(c)) return;
  throw new Refused({ kind: "being-indexed" });
}

/** Does the first steps of a reindex if there has been none. */
export async function requestFirstReindex(c: CatalogContext): Promise<void> {
  if (REINDEX_RECORD.load(c) === undefined) await requestRun(c, REINDEX, {});
}
