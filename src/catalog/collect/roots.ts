// Roots: paths behind the cursor only if they are pinned, and all paths after it.
import type { CatalogContext } from "../context.ts";
import type { Collection } from "./collection.ts";

/** SQL that holds for a path that no pin names; the parameters are SQL for its hash part and for the time. */
export const UNPINNED = (hash: string, now: string) =>
  `NOT EXISTS (SELECT 1 FROM pin_revisions AS pin WHERE pin.hash = ${hash} AND (pin.until IS NULL OR pin.until > ${now}))`;

/** Never by reading all paths: a step has a budget. Paths that are pushed meanwhile are not counted. */
export function countRoots(c: CatalogContext, { before, passed = 0, cursor }: Collection): number {
  const { pinned } = c.sql
    .exec<{ pinned: number }>(
      `SELECT count(*) AS pinned FROM paths WHERE hash IN (SELECT hash FROM pin_revisions)
       AND (wanted, hash) <= (?1, ?2) AND NOT ${UNPINNED("paths.hash", "?3")}`,
      cursor.lastUsed,
      cursor.hash,
      c.now(),
    )
    .one();
  return (before?.paths ?? 0) - passed + pinned;
}
