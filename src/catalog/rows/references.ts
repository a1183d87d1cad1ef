// The table `refs`: references between paths, without self-references.
import type { Closure } from "../../contract/paths.ts";
import type { NarInfo } from "../../nix/narinfo.ts";
import type { CatalogContext } from "../context.ts";
import { IS_UPSTREAM, upstreamList } from "./upstream-paths.ts";

/** Hash parts of a narinfo's references without the path itself. */
export function referenceHashes(info: NarInfo): string[] {
  return [...new Set(info.references.map((reference) => reference.slice(0, 32)))].filter(
    (hash) => hash !== info.storePath.hash,
  );
}

/** Sets the references of a path. Only differences are written: rows written are billed and limited. */
export function saveReferences(c: CatalogContext, hash: string, references: readonly string[]): void {
  const listed = JSON.stringify(references);
  c.sql.exec(
    "DELETE FROM refs WHERE referrer = ? AND reference NOT IN (SELECT value FROM json_each(?))",
    hash,
    listed,
  );
  c.sql.exec(
    "INSERT OR IGNORE INTO refs (referrer, reference) SELECT ?, value FROM json_each(?)",
    hash,
    listed,
  );
}

export function forgetReferences(c: CatalogContext, hash: string): void {
  c.sql.exec("DELETE FROM refs WHERE referrer = ?", hash);
}

/** Hash parts of the paths that a path of the catalog refers to. */
export function referencesOf(c: CatalogContext, hash: string): string[] {
  return c.sql
    .exec<{ reference: string }>("SELECT reference FROM refs WHERE referrer = ?", hash)
    .toArray()
    .map((row) => row.reference);
}

/** Hash parts of the paths that refer to one. At most `limit`. */
export function referrersOf(c: CatalogContext, hash: string, limit = -1): string[] {
  return c.sql
    .exec<{ referrer: string }>(
      "SELECT referrer FROM refs WHERE reference = ? ORDER BY referrer LIMIT ?",
      hash,
      limit,
    )
    .toArray()
    .map((row) => row.referrer);
}

export function countReferrers(c: CatalogContext, hash: string): number {
  return c.sql.exec<{ total: number }>("SELECT count(*) AS total FROM refs WHERE reference = ?", hash).one()
    .total;
}

/** Base names of the paths that refer to one, in the order of their hashes. At most `limit`. */
export function referrerNames(c: CatalogContext, hash: string, limit: number): string[] {
  return c.sql
    .exec<{ path: string }>(
      `SELECT hash || '-' || name AS path FROM refs JOIN paths ON hash = referrer
       WHERE reference = ? ORDER BY referrer LIMIT ?`,
      hash,
      limit,
    )
    .toArray()
    .map((row) => row.path);
}

export function closureOf(c: CatalogContext, hash: string): Closure {
  return c.sql
    .exec<Closure & Record<string, SqlStorageValue>>(
      `WITH RECURSIVE closure (member) AS (
         VALUES (?1) UNION SELECT reference FROM closure JOIN refs ON referrer = member
       )
       SELECT count(hash) AS paths, sum(nar_size) AS nar_size, sum(file_size) AS file_size,
         count(*) FILTER (WHERE hash IS NULL AND ${IS_UPSTREAM("member", "?2")}) AS upstream,
         count(*) FILTER (WHERE hash IS NULL AND NOT ${IS_UPSTREAM("member", "?2")}) AS missing
       FROM closure LEFT JOIN paths ON hash = member`,
      hash,
      upstreamList(c),
    )
    .one();
}
