// The rows of what accompanies paths and goes with them. A listing's key is made of its path's hash, a log's of its
// deriver; the others have rows, because to what they belong stands inside of them.
import { LOG_FOLDER, saysOwnerInside } from "../../bucket/companions.ts";
import type { CatalogContext } from "../context.ts";

/** Notes to what an object belongs; `undefined` where that cannot be made out. */
export function saveCompanion(c: CatalogContext, key: string, owner: string | undefined): void {
  if (!saysOwnerInside(key)) return;
  if (owner === undefined) {
    forgetCompanions(c, [key]);
    return;
  }
  c.sql.exec(
    `INSERT INTO companions VALUES (?, ?)
     ON CONFLICT (key) DO UPDATE SET owner = excluded.owner WHERE owner <> excluded.owner`,
    key,
    owner,
  );
}

/** Keys of all that goes with a path; its log only if no other path has the deriver. Ask before its row is removed. */
export function companionsOfPath(c: CatalogContext, hash: string): string[] {
  const logs = c.sql
    .exec<{ deriver: string }>(
      `SELECT deriver FROM paths AS own WHERE hash = ? AND deriver LIKE '%.drv'
       AND NOT EXISTS (SELECT 1 FROM paths WHERE deriver = own.deriver AND hash <> own.hash)`,
      hash,
    )
    .toArray()
    .map(({ deriver }) => `${LOG_FOLDER}${deriver}`);
  return [`${hash}.ls`, ...logs, ...ownedBy(c, hash)];
}

/** Those of these keys that are logs whose deriver a path has: published, perhaps, since a deletion was to take them. */
export function logsStillNeeded(c: CatalogContext, keys: readonly string[]): Set<string> {
  return new Set(
    c.sql
      .exec<{ key: string }>(
        `SELECT value AS key FROM json_each(?1) WHERE substr(value, 1, length(?2)) = ?2
         AND EXISTS (SELECT 1 FROM paths WHERE deriver = substr(value, length(?2) + 1))`,
        JSON.stringify(keys),
        LOG_FOLDER,
      )
      .toArray()
      .map(({ key }) => key),
  );
}

/** Keys of the debug info that names a NAR. */
export function companionsOfNar(c: CatalogContext, nar: string): string[] {
  return ownedBy(c, nar);
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
