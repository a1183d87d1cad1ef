// Totals for the report of a collection: the whole cache at its beginning, and the dead paths.
import type { Amount } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import type { Collection } from "./collection.ts";

/** Totals of all rows. */
export function countAll(c: CatalogContext): Amount {
  return c.sql
    .exec<{ paths: number; bytes: number }>(
      `SELECT (SELECT count(*) FROM paths) AS paths, coalesce(sum(size), 0) AS bytes
       FROM nars WHERE EXISTS (SELECT 1 FROM paths WHERE nar = key)`,
    )
    .one();
}

/** Store paths and last use of the oldest dead, at most `limit`. */
export function oldestDead(c: CatalogContext, limit: number): Collection["oldest"] {
  return c.sql
    .exec<{ hash: string; name: string; wanted: number }>(
      // In the order of the index, so that SQLite stops at `limit`.
      `SELECT hash, name, wanted FROM paths INDEXED BY paths_wanted
       WHERE (SELECT state FROM marks WHERE key = hash) = 'dead' ORDER BY wanted, hash LIMIT ?`,
      limit,
    )
    .toArray()
    .map(({ hash, name, wanted }) => ({
      store_path: `${c.config.storeDir}/${hash}-${name}`,
      last_used: isoTime(wanted),
    }));
}
