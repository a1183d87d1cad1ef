// Companions that arrive when their owner has been deleted: their PUT was announced before, or waited for the deletion.
// The catalog looks a second time when the grace period is over: by then the owner is here again, or what has come for
// it belongs to nothing. An owner is the hash part of a path, a log's deriver or the key of a NAR, as in companions.ts.
import { LOG_FOLDER } from "../cache/companions.ts";
import { companionsOfPath, ownedBy } from "./companions.ts";
import type { CatalogContext } from "./context.ts";
import { begin, carryOutDeletions, isPending } from "./pending.ts";

/** Owners of one second look: what comes of them goes in one call of the bucket. */
const BATCH = 250;
/** Milliseconds after which an owner is looked at again with which something was under way. */
const BUSY_MS = 60_000;

/** A path is about to be deleted. Call it in the transaction of the intention, while the path has its row. */
export function lookAgainForPath(c: CatalogContext, hash: string): void {
  for (const key of companionsOfPath(c, hash)) {
    lookAgain(c, key.startsWith(LOG_FOLDER) ? key.slice(LOG_FOLDER.length) : hash, key);
  }
}

/**
 * A PUT of a companion is announced. Whether its owner has gone just now or a while ago, the push may bring it back:
 * the grace is counted from here.
 */
export function lookAgainFor(c: CatalogContext, owner: string, key: string, wasDeleted: boolean): void {
  if (wasDeleted || isNoted(c, owner)) lookAgain(c, owner, key);
}

function isNoted(c: CatalogContext, owner: string): boolean {
  return c.sql.exec("SELECT 1 FROM deleted_owners WHERE owner = ?", owner).toArray().length > 0;
}

function lookAgain(c: CatalogContext, owner: string, object: string): void {
  c.sql.exec(
    `INSERT INTO deleted_owners VALUES (?1, json_array(?2), ?3)
     ON CONFLICT (owner) DO UPDATE SET deleted = excluded.deleted,
       objects = iif(?2 IN (SELECT value FROM json_each(objects)), objects, json_insert(objects, '$[#]', ?2))`,
    owner,
    object,
    c.now(),
  );
  c.wakeForSweep();
}

/** Deletes what has come late. Returns when to look again, in milliseconds since the epoch. */
export async function sweepLateCompanions(c: CatalogContext): Promise<number | undefined> {
  const due = c.sql
    .exec<{ owner: string }>(
      "SELECT owner FROM deleted_owners WHERE deleted <= ? LIMIT ?",
      c.now() - c.config.graceMs,
      BATCH,
    )
    .toArray()
    .map(({ owner }) => owner);
  const free = due.filter((owner) => !c.locks.isHeld(owner) && !isPending(c, owner));
  // It begins at once.
  if (free.length > 0) await c.locks.runAll(free, () => deleteLate(c, free));
  const { first } = c.sql
    .exec<{ first: number | null }>("SELECT min(deleted) AS first FROM deleted_owners")
    .one();
  if (first === null) return undefined;
  return Math.max(first + c.config.graceMs, c.now() + (free.length === BATCH ? 0 : BUSY_MS));
}

async function deleteLate(c: CatalogContext, owners: readonly string[]): Promise<void> {
  c.transaction(() => {
    for (const owner of owners) {
      if (!isHere(c, owner)) {
        begin(c, { kind: "delete-companions", key: owner, objects: lateCompanions(c, owner) });
      }
      c.sql.exec("DELETE FROM deleted_owners WHERE owner = ?", owner);
    }
  });
  await carryOutDeletions(c, owners);
}

function isHere(c: CatalogContext, owner: string): boolean {
  return (
    c.sql
      .exec(
        `SELECT 1 FROM paths WHERE hash = ?1 UNION ALL SELECT 1 FROM paths WHERE deriver = ?1
         UNION ALL SELECT 1 FROM nars WHERE key = ?1`,
        owner,
      )
      .toArray().length > 0
  );
}

/** All that may have come, but what has another owner by now. */
function lateCompanions(c: CatalogContext, owner: string): string[] {
  const announced = c.sql
    .exec<{ key: string }>(
      `SELECT value AS key FROM deleted_owners, json_each(objects) WHERE deleted_owners.owner = ?1
       AND NOT EXISTS (SELECT 1 FROM companions WHERE companions.key = value AND companions.owner <> ?1)`,
      owner,
    )
    .toArray()
    .map(({ key }) => key);
  return [...new Set([...announced, ...ownedBy(c, owner)])];
}
