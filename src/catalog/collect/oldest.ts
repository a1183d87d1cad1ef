// The oldest of the dead, for the report of a collection.
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import type { Collection } from "./collection.ts";

type Named = Collection["oldest"];

/** Store paths and last use of the paths in a JSON array of hash parts. */
export function namedPaths(c: CatalogContext, hashes: string): Named {
  return c.sql
    .exec<{ hash: string; name: string; wanted: number }>(
      "SELECT hash, name, wanted FROM paths WHERE hash IN (SELECT value FROM json_each(?))",
      hashes,
    )
    .toArray()
    .map(({ hash, name, wanted }) => ({
      store_path: `${c.config.storeDir}/${hash}-${name}`,
      last_used: isoTime(wanted),
    }));
}

/** The first `limit` of both by last use, then by store path. */
export function oldestOf(known: Named, more: Named, limit: number): Named {
  const key = ({ last_used, store_path }: Named[number]) => `${last_used} ${store_path}`;
  return [...known, ...more].sort((a, b) => (key(a) < key(b) ? -1 : 1)).slice(0, limit);
}
