// What pushers care for: a path that one pushes, asks for, or finds here stays, because they rely on its being here.
import { ownerTypeOf } from "../../bucket/companions.ts";
import type { OwnerType } from "../../bucket/kinds.ts";
import { collects } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import { saveCompanion } from "../rows/companions.ts";
import { deletionIntentWith, hasIntent } from "../rows/intents.ts";
import { resolveKey } from "./resolve.ts";

/**
 * Milliseconds by which the noted time of a want may be older than the want: rows written are what the platform counts
 * and limits. Collections add it to every period, so that nothing goes earlier than promised.
 */
export function lastUseSlackMs(c: CatalogContext): number {
  return c.config.graceMs / 2;
}

/** Notes that a pusher relies on these paths, as far as they are here. Where nothing is collected, it does nothing. */
export function touchPaths(c: CatalogContext, hashes: readonly string[]): void {
  touchWhere(c, "hash IN (SELECT value FROM json_each(?))", JSON.stringify(hashes));
}

/**
 * A pusher is about to look for a path. From here on it stays for as long as a pushed one, or it is gone: a deletion
 * that has begun is over before this returns, so that nobody finds a narinfo that is about to vanish; and so is a
 * publication without an answer, whose narinfo may be there while its row is not.
 */
export async function touchPath(c: CatalogContext, hash: string): Promise<void> {
  if (hasIntent(c, hash)) await c.locks.run(hash, () => resolveKey(c, hash));
  touchPaths(c, [hash]);
}

/**
 * A pusher is about to put a companion. Noted before the bucket is touched, so that it goes with its owner; and a
 * deletion that takes the same object is over before. The owner counts as pushed again: otherwise it could go before
 * the object arrives, which would then stay for ever.
 */
export async function announceCompanion(
  c: CatalogContext,
  key: string,
  owner: string | undefined,
): Promise<void> {
  for (let name = deletionIntentWith(c, key); name !== undefined; name = deletionIntentWith(c, key)) {
    const deletion = name;
    await c.locks.run(deletion, () => resolveKey(c, deletion));
  }
  // No await from here on: a deletion that begins later knows of it.
  c.transaction(() => {
    const type = ownerTypeOf(key);
    if (owner !== undefined && type !== undefined) touchWhere(c, `${COLUMNS[type]} = ?`, owner);
    saveCompanion(c, key, owner);
  });
}

/** The column of a path by which an owner of each type is found. */
const COLUMNS: Record<OwnerType, string> = { path: "hash", deriver: "deriver", nar: "nar" };

function touchWhere(c: CatalogContext, which: string, binding: string): void {
  if (!collects(c.config)) return;
  c.sql.exec(
    `UPDATE paths SET wanted = ?2 WHERE ${which.replace("?", "?1")} AND wanted < ?3`,
    binding,
    c.now(),
    c.now() - lastUseSlackMs(c),
  );
}
