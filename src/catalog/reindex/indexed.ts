// Whether the catalog knows all that is in the bucket. What it does not know could refer to what is to be deleted: a
// bucket that another tool or an earlier version filled, or a Durable Object that lost its data. Nothing is deleted
// before a reindex has been through the bucket once; a later one does not keep anything from being deleted.
import type { CatalogContext } from "../context.ts";
import { loadRun } from "../runs/runs.ts";

export function isIndexed(c: CatalogContext): boolean {
  return loadRun(c, "reindex")?.completed !== undefined;
}
