// Looks at all paths, in steps and in the order of their rows: which have expired, and which are the oldest. An index by
// last use would cost a row for each path that is pushed.
import type { CatalogContext } from "../context.ts";
import type { Collection, Place } from "./collection.ts";

/** Paths, or NARs, that one statement looks at. */
const BATCH = 1000;
/** The oldest paths that one look at all of them finds. */
const MAX_OLDEST = 1000;

/** The next paths: how many, and which of them have expired. Counts all. */
export function surveyPaths(
  c: CatalogContext,
  collection: Collection,
): { readonly count: number; readonly expired: string[] } {
  const { surveyed, before, expiredBefore } = collection;
  if (surveyed.paths === null) return { count: 0, expired: [] };
  const rows = nextPaths(c, surveyed.paths);
  surveyed.paths = rows.at(-1)?.row ?? null;
  before.paths += rows.length;
  collection.roots += rows.length;
  for (const { wanted } of rows) collection.newest = Math.max(collection.newest ?? wanted, wanted);
  const expired = rows.filter(({ wanted }) => wanted < expiredBefore).map(({ hash }) => hash);
  // One more where this was the last: the phase goes on.
  return { count: rows.length + 1, expired };
}

/** Counts the bytes of the next NARs that paths have. Returns how many it has looked at; 0 if none are left. */
export function countNars(c: CatalogContext, { surveyed, before }: Collection): number {
  if (surveyed.nars === null) return 0;
  const { count, last, bytes } = c.sql
    .exec<{ count: number; last: string | null; bytes: number }>(
      `SELECT count(*) AS count, max(key) AS last, coalesce(sum(size) FILTER (WHERE path IS NOT NULL), 0) AS bytes
       FROM (SELECT key, size, path FROM nars WHERE key > ? ORDER BY key LIMIT ?)`,
      surveyed.nars,
      BATCH,
    )
    .one();
  before.bytes += bytes;
  surveyed.nars = last;
  return count + 1;
}

/**
 * The first path after the cursor that may cease to be a root; `undefined` where none has been found yet. `count` is about
 * how many it has looked at; 0 if there is none.
 */
export function nextOldest(
  c: CatalogContext,
  { surveyed, cursor, droppableBefore }: Collection,
): { readonly count: number; readonly oldest?: Place } {
  const { found } = surveyed;
  if (surveyed.oldest === null) {
    for (let oldest = found.shift(); oldest !== undefined; oldest = found.shift()) {
      // It may have been used or deleted since.
      if (lastUse(c, oldest.hash) === oldest.lastUsed) return { count: 1, oldest };
    }
    if (surveyed.isAllFound) return { count: 0 };
    surveyed.oldest = 0;
  }
  const rows = nextPaths(c, surveyed.oldest);
  const later = rows
    .filter(({ wanted }) => wanted < droppableBefore)
    .map(({ wanted, hash }) => ({ lastUsed: wanted, hash }))
    .filter((place) => compare(place, cursor) > 0);
  found.push(...later);
  found.sort(compare);
  // There may be more of them: another look at all paths finds those.
  surveyed.isAllFound = (surveyed.oldest === 0 || surveyed.isAllFound) && found.length <= MAX_OLDEST;
  found.splice(MAX_OLDEST);
  surveyed.oldest = rows.at(-1)?.row ?? null;
  return { count: rows.length + 1 };
}

interface PathRow extends Record<string, SqlStorageValue> {
  /** Its number in the table. */
  row: number;
  hash: string;
  wanted: number;
}

function nextPaths(c: CatalogContext, after: number): PathRow[] {
  return c.sql
    .exec<PathRow>(
      "SELECT rowid AS row, hash, wanted FROM paths WHERE rowid > ? ORDER BY rowid LIMIT ?",
      after,
      BATCH,
    )
    .toArray();
}

function lastUse(c: CatalogContext, hash: string): number | undefined {
  return c.sql.exec<{ wanted: number }>("SELECT wanted FROM paths WHERE hash = ?", hash).toArray()[0]?.wanted;
}

/** In the order of last use. */
function compare(a: Place, b: Place): number {
  return a.lastUsed - b.lastUsed || (a.hash < b.hash ? -1 : a.hash > b.hash ? 1 : 0);
}
