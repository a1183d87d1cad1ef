// The table `doomed`, scratch of a large deletion: the paths that go, each with the number of its referrers among them
// that have not gone yet. A path is `fresh` until its own referrers are known.
import type { CatalogContext } from "../context.ts";

/** Forgets the paths of the deletion before, at most `limit`. False if there are more. */
export function forgetDoomed(c: CatalogContext, limit: number): boolean {
  const gone = c.sql
    .exec("DELETE FROM doomed WHERE hash IN (SELECT hash FROM doomed LIMIT ?) RETURNING 1", limit)
    .toArray().length;
  return gone < limit;
}

/** Adds paths, unless they are there. Returns how many were not. */
export function doom(c: CatalogContext, hashes: readonly string[]): number {
  return c.sql
    .exec(
      `INSERT INTO doomed (hash, referrers, state) SELECT value, 0, 'fresh' FROM json_each(?) WHERE true
       ON CONFLICT DO NOTHING RETURNING 1`,
      JSON.stringify(hashes),
    )
    .toArray().length;
}

/** A path whose referrers are to be found. */
export function freshDoomed(c: CatalogContext): string | undefined {
  return hashesOf(c, "SELECT hash FROM doomed WHERE state = 'fresh' LIMIT 1")[0];
}

/** So many more referrers of a path have been found; `isAll`: there are no others. */
export function addReferrers(c: CatalogContext, hash: string, count: number, isAll: boolean): void {
  c.sql.exec(
    "UPDATE doomed SET referrers = referrers + ?, state = ? WHERE hash = ?",
    ...[count, isAll ? "known" : "fresh", hash],
  );
}

/** A path has other referrers than were found: they are to be found again. */
export function renewDoomed(c: CatalogContext, hash: string): void {
  c.sql.exec("UPDATE doomed SET state = 'fresh', referrers = 0 WHERE hash = ?", hash);
}

/** Paths without referrers. At most `limit`. */
export function readyDoomed(c: CatalogContext, limit: number): string[] {
  return hashesOf(c, "SELECT hash FROM doomed WHERE state = 'known' AND referrers <= 0 LIMIT ?", limit);
}

/** Paths after one, in the order of their hash parts. At most `limit`. */
export function nextDoomed(c: CatalogContext, after: string, limit: number): string[] {
  return hashesOf(c, "SELECT hash FROM doomed WHERE hash > ? ORDER BY hash LIMIT ?", after, limit);
}

/** These paths have gone; each of `references` has lost a referrer for each time that it is listed. */
export function dropDoomed(
  c: CatalogContext,
  hashes: readonly string[],
  references: readonly string[],
): void {
  c.sql.exec("DELETE FROM doomed WHERE hash IN (SELECT value FROM json_each(?))", JSON.stringify(hashes));
  c.sql.exec(
    `UPDATE doomed SET referrers = referrers - lost.count
     FROM (SELECT value AS hash, count(*) AS count FROM json_each(?) GROUP BY value) AS lost
     WHERE doomed.hash = lost.hash`,
    JSON.stringify(references),
  );
}

/** Those of these paths that are not there. */
export function notDoomed(c: CatalogContext, hashes: readonly string[]): string[] {
  return hashesOf(
    c,
    "SELECT value AS hash FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM doomed WHERE hash = value)",
    JSON.stringify(hashes),
  );
}

function hashesOf(c: CatalogContext, query: string, ...bindings: SqlStorageValue[]): string[] {
  return c.sql
    .exec<{ hash: string }>(query, ...bindings)
    .toArray()
    .map(({ hash }) => hash);
}
