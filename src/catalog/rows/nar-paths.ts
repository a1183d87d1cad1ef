// Which paths have a NAR: `nars.path` is one of them, and the table `further_paths` has the others, which few NARs have.
// That takes no row for a new path, unlike an index of `paths`.
import type { CatalogContext } from "../context.ts";
import { amongOldPaths } from "./old-layout.ts";

/** Where the paths of NARs stand: SQL for a table and its columns. */
export const NAR_PATHS = [
  { table: "nars", nar: "nars.key", hash: "nars.path" },
  { table: "further_paths", nar: "further_paths.nar", hash: "further_paths.hash" },
] as const;

/** Notes the path of a NAR, whose row is there and names one. */
export function linkPath(c: CatalogContext, nar: string, hash: string): void {
  const path = pathOf(c, nar);
  if (path === hash) return;
  if (path === null) c.sql.exec("UPDATE nars SET path = ? WHERE key = ?", hash, nar);
  else c.sql.exec("INSERT INTO further_paths (nar, hash) VALUES (?, ?) ON CONFLICT DO NOTHING", nar, hash);
}

/** A path has lost its NAR. Begins the NAR's grace period if no other path has it. */
export function unlinkPath(c: CatalogContext, nar: string, hash: string): void {
  const path = pathOf(c, nar);
  if (path !== hash) {
    c.sql.exec("DELETE FROM further_paths WHERE nar = ? AND hash = ?", nar, hash);
    if (path !== null) return;
  }
  const [next] = c.sql
    .exec<{ hash: string }>("SELECT hash FROM further_paths WHERE nar = ? ORDER BY hash LIMIT 1", nar)
    .toArray();
  if (next === undefined) {
    c.sql.exec("UPDATE nars SET path = NULL, released = ? WHERE key = ?", c.now(), nar);
    c.wakeForSweep();
    return;
  }
  c.sql.exec("DELETE FROM further_paths WHERE nar = ? AND hash = ?", nar, next.hash);
  c.sql.exec("UPDATE nars SET path = ? WHERE key = ?", next.hash, nar);
}

/** One of the paths of a NAR; null where it has none, `undefined` where it has no row. */
export function pathOf(c: CatalogContext, nar: string): string | null | undefined {
  return c.sql.exec<{ path: string | null }>("SELECT path FROM nars WHERE key = ?", nar).toArray()[0]?.path;
}

/** Whether the rows say that a path has a NAR. */
export function isLinked(c: CatalogContext, nar: string, hash: string): boolean {
  return (
    c.sql
      .exec(
        "SELECT 1 FROM nars WHERE key = ?1 AND path = ?2 UNION ALL SELECT 1 FROM further_paths WHERE nar = ?1 AND hash = ?2",
        nar,
        hash,
      )
      .toArray().length > 0
  );
}

/** Whether a path of the catalog has this NAR. A publication that has just ended may not count yet. */
export function isNarReferred(c: CatalogContext, nar: string): boolean {
  return (pathOf(c, nar) ?? null) !== null || amongOldPaths(c, "nar", [nar]).length > 0;
}

/** Narinfos of the paths that have this NAR, in the order of their hash parts, after one. At most `limit`. */
export function pathsOfNar(
  c: CatalogContext,
  nar: string,
  after: string,
  limit: number,
): { readonly hash: string; readonly narinfo: string }[] {
  return c.sql
    .exec<{ hash: string; narinfo: string }>(
      `SELECT paths.hash, narinfo FROM (
         SELECT path AS own FROM nars WHERE key = ?1 AND path > ?2
         UNION ALL SELECT hash FROM (SELECT hash FROM further_paths WHERE nar = ?1 AND hash > ?2 ORDER BY hash LIMIT ?3)
       ) JOIN paths ON paths.hash = own ORDER BY paths.hash LIMIT ?3`,
      nar,
      after,
      limit,
    )
    .toArray();
}

/** Links those of these paths that the rows of NARs do not name. */
export function linkPaths(c: CatalogContext, hashes: readonly string[]): void {
  const unlinked = c.sql
    .exec<{ hash: string; nar: string }>(
      `SELECT hash, nar FROM paths WHERE hash IN (SELECT value FROM json_each(?))
       AND NOT EXISTS (SELECT 1 FROM nars WHERE key = paths.nar AND path = paths.hash)
       AND NOT EXISTS (SELECT 1 FROM further_paths AS further WHERE further.nar = paths.nar AND further.hash = paths.hash)`,
      JSON.stringify(hashes),
    )
    .toArray();
  for (const { hash, nar } of unlinked) {
    linkPath(c, nar, hash);
    c.sql.exec("UPDATE nars SET released = NULL WHERE key = ? AND released IS NOT NULL", nar);
  }
}
