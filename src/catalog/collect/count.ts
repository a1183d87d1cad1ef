// Counts the cache when a collection begins: in batches, because a step has a budget, however large the cache is.
import type { CatalogContext } from "../context.ts";
import type { Collection } from "./collection.ts";

/** Rows of one statement. */
const BATCH = 10_000;

/** Counts the next rows. Sets `before` when all have been counted; what is pushed meanwhile may be missing. */
export function countNext(c: CatalogContext, collection: Collection): void {
  collection.counting ??= { paths: 0, bytes: 0, table: "paths", after: "" };
  const { counting } = collection;
  const { paths, bytes, last } = nextOf[counting.table](c, counting.after);
  counting.paths += paths;
  counting.bytes += bytes;
  counting.after = last ?? "";
  if (last !== null) return;
  if (counting.table === "nars") {
    collection.before = { paths: counting.paths, bytes: counting.bytes };
    collection.counting = undefined;
  }
  counting.table = "nars";
}

interface Counted extends Record<string, SqlStorageValue> {
  paths: number;
  bytes: number;
  /** Null: there are no more. */
  last: string | null;
}

const nextOf = {
  paths: (c: CatalogContext, after: string) =>
    c.sql
      .exec<Counted>(
        `SELECT count(*) AS paths, 0 AS bytes, max(hash) AS last
         FROM (SELECT hash FROM paths WHERE hash > ? ORDER BY hash LIMIT ${BATCH})`,
        after,
      )
      .one(),
  /** Those that a path has. */
  nars: (c: CatalogContext, after: string) =>
    c.sql
      .exec<Counted>(
        `SELECT 0 AS paths, coalesce(sum(size) FILTER (WHERE EXISTS (SELECT 1 FROM paths WHERE nar = key)), 0) AS bytes,
           max(key) AS last
         FROM (SELECT key, size FROM nars WHERE key > ? ORDER BY key LIMIT ${BATCH})`,
        after,
      )
      .one(),
};
