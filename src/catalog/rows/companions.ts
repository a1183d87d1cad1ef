// The table `companions`: one row for each object whose content names its owner. The keys of other companions are made
// of their owner's name, and need no row.
import { deriverOf, keysOfOwner, namesOwnerInContent } from "../../bucket/companions.ts";
import type { CatalogContext } from "../context.ts";

/** Records the owner of an object that needs a row; `undefined`: it has none. */
export function saveCompanion(c: CatalogContext, key: string, owner: string | undefined): void {
  if (!namesOwnerInContent(key)) return;
  if (owner === undefined) {
    forgetCompanions(c, [key]);
    return;
  }
  c.sql.exec(
    `INSERT INTO companions (key, owner) VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET owner = excluded.owner WHERE owner <> excluded.owner`,
    key,
    owner,
  );
}

/**
 * Keys of all companions of a path; those of its deriver only if no other path has that deriver. Call it before the
 * row of the path is removed.
 */
export function companionsOfPath(c: CatalogContext, hash: string): string[] {
  const derivers = c.sql
    .exec<{ deriver: string }>(
      `SELECT deriver FROM paths AS own WHERE hash = ? AND deriver LIKE '%.drv'
       AND NOT EXISTS (SELECT 1 FROM paths WHERE deriver = own.deriver AND hash <> own.hash)`,
      hash,
    )
    .toArray();
  return [
    ...keysOfOwner("path", hash),
    ...derivers.flatMap(({ deriver }) => keysOfOwner("deriver", deriver)),
    ...ownedBy(c, hash),
  ];
}

/** Those of these keys whose deriver a path has: it may have been published since a deletion began. */
export function companionsStillNeeded(c: CatalogContext, keys: readonly string[]): Set<string> {
  const ofDerivers = keys.flatMap((key) => {
    const deriver = deriverOf(key);
    return deriver === undefined ? [] : { key, deriver };
  });
  return new Set(
    c.sql
      .exec<{ key: string }>(
        `SELECT value ->> 'key' AS key FROM json_each(?)
         WHERE EXISTS (SELECT 1 FROM paths WHERE deriver = value ->> 'deriver')`,
        JSON.stringify(ofDerivers),
      )
      .toArray()
      .map(({ key }) => key),
  );
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
