// The table `differing_builds`: other builds of a path, which were pushed and refused. Such a path is not
// reproducible.
import type { DifferingBuild } from "../../contract/paths.ts";
import { formatHash } from "../../nix/hash.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import { insert } from "./insert.ts";

export function recordDifferingBuild(c: CatalogContext, info: NarInfo, pushedBy: string): void {
  insert(
    c,
    "differing_builds",
    {
      hash: info.storePath.hash,
      nar_hash: formatHash(info.narHash),
      nar_size: info.narSize,
      first_push: c.now(),
      last_push: c.now(),
      pushed_by: pushedBy,
    },
    "ON CONFLICT (hash, nar_hash) DO UPDATE SET last_push = excluded.last_push, pushed_by = excluded.pushed_by",
  );
}

/** In the order of their first push. At most `limit`. */
export function differingBuilds(c: CatalogContext, hash: string, limit: number): DifferingBuild[] {
  return c.sql
    .exec<{
      nar_hash: string;
      nar_size: number;
      first_push: number;
      last_push: number;
      pushed_by: string;
    }>(
      // Limited before they are ordered, so that no more of them are read.
      `SELECT nar_hash, nar_size, first_push, last_push, pushed_by FROM (
         SELECT nar_hash, nar_size, first_push, last_push, pushed_by FROM differing_builds WHERE hash = ? LIMIT ?
       ) ORDER BY first_push, nar_hash`,
      hash,
      limit,
    )
    .toArray()
    .map((row) => ({
      ...row,
      first_push: isoTime(row.first_push),
      last_push: isoTime(row.last_push),
    }));
}

export function forgetDifferingBuilds(c: CatalogContext, hash: string): void {
  c.sql.exec("DELETE FROM differing_builds WHERE hash = ?", hash);
}
