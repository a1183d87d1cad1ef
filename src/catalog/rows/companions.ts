// The table `companions`: one row for each object whose content names its owner. The keys of other companions are made
// of their owner's name, and need no row.
import { deriverOf, keysOfOwner, namesOwnerInContent } from "../../bucket/companions.ts";
import type { CatalogContext } from "../context.ts";
import { insert } from "./insert.ts";
import { knownDerivers, ownDeriver } from "./paths.ts";

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
 * Keys of all companions of a path; its deriver's only if no other path has that deriver. Call it before the row of
 * the path is removed.
 */
export function companionsOfPath(c: CatalogContext, hash: string): string[] {
  const deriver = ownDeriver(c, hash);
  return [
    ...keysOfOwner("path", hash),
    ...(deriver === undefined ? [] : keysOfOwner("deriver", deriver)),
    ...ownedBy(c, hash),
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

/** Keys of all companions of a NAR. */
export function companionsOfNar(c: CatalogContext, nar: string): string[] {
  return [...keysOfOwner("nar", nar), ...ownedBy(c, nar)];
}

export function forgetCompanions(c: CatalogContext, keys: readonly string[]): void {
  c.sql.exec("DELETE FROM companions WHERE key IN (SELECT value FROM json_each(?))", JSON.stringify(keys));
}

function ownedBy(c: CatalogContext, owner: string): string[] {
  return c.sql
    .exec<{ key: string }>("SELECT key FROM companions WHERE owner = ? ORDER BY key", owner)
    .toArray()
    .map((row) => row.key);
}
