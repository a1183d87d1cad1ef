// The table `refs`: references between paths, without self-references, by what is referred to. What a path refers to is
// in the narinfo of its row.
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";

/** References in one statement, which takes 100 values on this platform. */
const BATCH = 50;

/** Hash parts of a narinfo's references without the path itself. */
export function referenceHashes(info: NarInfo): string[] {
  return [...new Set(info.references.map((reference) => reference.slice(0, 32)))].filter(
    (hash) => hash !== info.storePath.hash,
  );
}

/** The same of a narinfo's text that is in a row. */
export function referencesIn(narinfo: string): string[] {
  const own = /^StorePath: .*\/([^/\n]+)$/m.exec(narinfo)?.[1]?.slice(0, 32);
  const names = /^References: (.*)$/m.exec(narinfo)?.[1]?.split(" ") ?? [];
  return [...new Set(names.map((name) => name.slice(0, 32)))].filter((hash) => hash !== own && hash !== "");
}

/** Sets the references of a path, which had `earlier`. Only differences are written: rows written are billed and limited. */
export function saveReferences(
  c: CatalogContext,
  hash: string,
  references: readonly string[],
  earlier: readonly string[] = [],
): void {
  const now = new Set(references);
  const gone = earlier.filter((reference) => !now.has(reference));
  if (gone.length > 0) forgetReferences(c, hash, gone);
  const known = new Set(earlier);
  const added = references.filter((reference) => !known.has(reference));
  for (let at = 0; at < added.length; at += BATCH) {
    const some = added.slice(at, at + BATCH);
    // Not by json_each, each of whose values counts as a row that is read.
    c.sql.exec(
      `INSERT INTO refs (reference, referrer) VALUES ${some.map(() => "(?, ?)").join(", ")} ON CONFLICT DO NOTHING`,
      ...some.flatMap((reference) => [reference, hash]),
    );
  }
}

export function forgetReferences(c: CatalogContext, hash: string, references: readonly string[]): void {
  c.sql.exec(
    "DELETE FROM refs WHERE reference IN (SELECT value FROM json_each(?)) AND referrer = ?",
    JSON.stringify(references),
    hash,
  );
}

/** Hash parts of the paths that a path of the catalog refers to. */
export function referencesOf(c: CatalogContext, hash: string): string[] {
  const row = c.sql.exec<{ narinfo: string }>("SELECT narinfo FROM paths WHERE hash = ?", hash).toArray()[0];
  return row === undefined ? [] : referencesIn(row.narinfo);
}

/** Hash parts of the paths that refer to one, in their order, after `after`. At most `limit`. */
export function referrersOf(c: CatalogContext, hash: string, limit = -1, after = ""): string[] {
  return c.sql
    .exec<{ referrer: string }>(
      "SELECT referrer FROM refs WHERE reference = ? AND referrer > ? ORDER BY referrer LIMIT ?",
      hash,
      after,
      limit,
    )
    .toArray()
    .map((row) => row.referrer);
}

/** Hash parts that paths refer to, in their order, after one. At most `limit`, each read once, whatever refers to it. */
export function distinctReferences(c: CatalogContext, after: string, limit: number): string[] {
  return c.sql
    .exec<{ reference: string }>(
      `WITH RECURSIVE next (reference) AS (
         SELECT min(reference) FROM refs WHERE reference > ?1
         UNION ALL SELECT (SELECT min(refs.reference) FROM refs WHERE refs.reference > next.reference)
         FROM next WHERE next.reference IS NOT NULL LIMIT ?2
       ) SELECT reference FROM next WHERE reference IS NOT NULL`,
      after,
      limit,
    )
    .toArray()
    .map(({ reference }) => reference);
}

/** At most `limit`. */
export function countReferrers(c: CatalogContext, hash: string, limit: number): number {
  return c.sql
    .exec<{ total: number }>(
      "SELECT count(*) AS total FROM (SELECT 1 FROM refs WHERE reference = ? LIMIT ?)",
      hash,
      limit,
    )
    .one().total;
}

/** Base names of the paths that refer to one, in the order of their hashes. At most `limit`. */
export function referrerNames(c: CatalogContext, hash: string, limit: number): string[] {
  return c.sql
    .exec<{ path: string }>(
      `SELECT hash || '-' || name AS path
       FROM (SELECT referrer FROM refs WHERE reference = ? ORDER BY referrer LIMIT ?) JOIN paths ON hash = referrer
       ORDER BY hash`,
      hash,
      limit,
    )
    .toArray()
    .map((row) => row.path);
}
