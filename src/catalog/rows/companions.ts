// The table `companions`: one row for each object whose content names its owner. The keys of other companions are made
// of their owner's name, and need no row.
import { deriverOf, keysOfOwner, namesOwnerInContent } from "../../bucket/companions.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { insert } from "./insert.ts";
import { knownDerivers, ownDeriver } from "./paths.ts";

/**
 * Companions that one owner may have whose content names it. An intent to delete the owner lists them, and a row has room
 * for 2 MB.
 */
export const MAX_COMPANIONS = 512;

/**
 * Throws {@link Refused} too-many-companions: the owner has as many as it may have, and this is another. A bucket that
 * another tool has filled may have more.
 */
export function requireRoom(c: CatalogContext, key: string, owner: string): void {
  if (!namesOwnerInContent(key)) return;
  const owned = ownedBy(c, owner, MAX_COMPANIONS);
  if (owned.length < MAX_COMPANIONS || owned.includes(key)) return;
  const known = c.sql.exec("SELECT 1 FROM companions WHERE key = ? AND owner = ?", key, owner).toArray();
  if (known.length > 0) return;
  throw new Refused({ kind: "too-many-companions", key, owner, most: MAX_COMPANIONS });
}

/** Records the owner of an object that needs a row; `undefined` for none. */
export function saveCompanion(c: CatalogContext, key: string, owner: string | undefined): void {
  if (!namesOwnerInContent(key)) return;
  if (owner === undefined) {
    forgetCompanions(c, [key]);
    return;
  }
  insert(
    c,
    "companions",
    { key, owner },
    "ON CONFLICT (key) DO UPDATE SET owner = excluded.owner WHERE owner <> excluded.owner",
  );
}

/** Whether the owner of an object is recorded: then it has been put. */
export function hasCompanion(c: CatalogContext, key: string): boolean {
  return c.sql.exec("SELECT 1 FROM companions WHERE key = ?", key).toArray().length > 0;
}

/**
 * Keys of the companions of a path; its deriver's only if no other path has that deriver. Call it before the row of
 * the path is removed. Of those whose content names it, only {@link MAX_COMPANIONS}: {@link leftCompanions}.
 */
export function companionsOfPath(c: CatalogContext, hash: string): string[] {
  const deriver = ownDeriver(c, hash);
  return [
    ...keysOfOwner("path", hash),
    ...(deriver === undefined ? [] : keysOfOwner("deriver", deriver)),
    ...ownedBy(c, hash, MAX_COMPANIONS),
  ];
}

/** The keys whose deriver a path has again: one may have been published since a deletion began. */
export function companionsStillNeeded(c: CatalogContext, keys: readonly string[]): Set<string> {
  const derivers = new Map(keys.map((key) => [key, deriverOf(key)]));
  const known = knownDerivers(
    c,
    [...derivers.values()].filter((deriver) => deriver !== undefined),
  );
  return new Set(keys.filter((key) => known.has(derivers.get(key) ?? "")));
}

/** Keys of the companions of a NAR. Of those whose content names it, only {@link MAX_COMPANIONS}. */
export function companionsOfNar(c: CatalogContext, nar: string): string[] {
  return [...keysOfOwner("nar", nar), ...ownedBy(c, nar, MAX_COMPANIONS)];
}

export function forgetCompanions(c: CatalogContext, keys: readonly string[]): void {
  c.sql.exec("DELETE FROM companions WHERE key IN (SELECT value FROM json_each(?))", JSON.stringify(keys));
}

/** The next companions of an owner that is gone, {@link MAX_COMPANIONS} at most. */
export function leftCompanions(c: CatalogContext, owner: string): string[] {
  return hasOwner(c, owner) ? [] : ownedBy(c, owner, MAX_COMPANIONS);
}

/** Whether the owner of companions, a path or a NAR, is in the catalog. */
export function hasOwner(c: CatalogContext, owner: string): boolean {
  return (
    c.sql
      .exec("SELECT 1 FROM paths WHERE hash = ?1 UNION ALL SELECT 1 FROM nars WHERE key = ?1 LIMIT 1", owner)
      .toArray().length > 0
  );
}

function ownedBy(c: CatalogContext, owner: string, limit: number): string[] {
  return c.sql
    .exec<{ key: string }>("SELECT key FROM companions WHERE owner = ? ORDER BY key LIMIT ?", owner, limit)
    .toArray()
    .map((row) => row.key);
}
