// Paths that the bucket has and the catalog does not know, put there by another tool: taken into the catalog.
import type { CatalogContext } from "../context.ts";
import { isBeingDeleted } from "../rows/intents.ts";
import { adoptPaths } from "../rows/old-layout.ts";
import { pathRow } from "../rows/paths.ts";
import { indexPublished } from "./index-published.ts";
import { readPublished } from "./published.ts";

/** Reads that a deletion may disturb before the path counts as missing. */
const MAX_ATTEMPTS = 4;

/** Takes a path of the bucket into the catalog. True where it is there. */
export async function importPathFromBucket(c: CatalogContext, hash: string): Promise<boolean> {
  adoptPaths(c, [hash]);
  if (c.migration.isMoving && pathRow(c, hash) !== undefined) return true;
  for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
    const deletions = c.deletions.count;
    const published = await readPublished(c, hash);
    // A row is newer than what was read: a publication may have written another narinfo meanwhile.
    if (pathRow(c, hash) !== undefined) return true;
    if (published === undefined || isBeingDeleted(c, hash)) return false;
    // The object may have been deleted while the read was in flight. Trust the read only if no deletion ran meanwhile.
    if (c.deletions.count !== deletions) continue;
    c.transaction(() => indexPublished(c, published));
    return true;
  }
  return false;
}
