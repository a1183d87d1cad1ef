// Whether the catalog knows all that is in the bucket. What it does not know could refer to what is to be deleted: a
// bucket that another tool or an earlier version filled, or a Durable Object that lost its data. Nothing is deleted
// before a reindex has been through the bucket once; a later one does not keep anything from being deleted.
import { HttpError } from "../http/errors.ts";
import type { CatalogContext } from "./context.ts";
import { loadRun } from "./runs.ts";
import { requestRun } from "./steps.ts";

export function isIndexed(c: CatalogContext): boolean {
  return loadRun(c, "reindex")?.completed !== undefined;
}

/**
 * Reindexes, or goes on with it, as far as one invocation gets: that is to the end where the catalog knows the bucket
 * already, or the bucket is small. Throws {@link HttpError} 503 where it is not at its end then.
 */
export async function requireIndex(c: CatalogContext): Promise<void> {
  if (isIndexed(c)) return;
  await requestRun(c, "reindex", {});
  if (isIndexed(c)) return;
  throw new HttpError(
    503,
    "the catalog is being built from the bucket, and nothing is deleted before that is done; GET /api/v1/reindex says how far it is",
    { "Retry-After": "60" },
  );
}
