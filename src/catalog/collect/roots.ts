// Roots: paths behind the cursor only if they are pinned, and all paths after it.
import type { CatalogContext } from "../context.ts";
import { KEPT } from "../rows/pins.ts";
import type { Collection } from "./collection.ts";

/** SQL that holds for a path that no pin names; the parameters are SQL for its hash part and for the time. */
export const UNPINNED = (hash: string, now: string) =>
  `NOT EXISTS (SELECT 1 FROM pin_revisions AS pin WHERE pin.hash = ${hash} AND ${KEPT("pin", now)})`;

export function countRoots(c: CatalogContext, { cursor }: Collection): number {
  return c.sql
    .exec<{ roots: number }>(
      `SELECT (SELECT count(*) FROM paths WHERE (wanted, hash) > (?1, ?2))
         + (SELECT count(*) FROM paths WHERE hash IN (SELECT hash FROM pin_revisions)
            AND (wanted, hash) <= (?1, ?2) AND NOT ${UNPINNED("paths.hash", "?3")}) AS roots`,
      cursor.lastUsed,
      cursor.hash,
      c.now(),
    )
    .one().roots;
}
