// Last use: a path that a pusher pushes, asks for or finds stays for a while, because the pusher relies on it.
import { ownerTypeOf } from "../../bucket/companions.ts";
import type { OwnerType } from "../../bucket/kinds.ts";
import { collects } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import { requireRoom, saveCompanion } from "../rows/companions.ts";
import { deletionIntentWith, isBeingDeleted } from "../rows/intents.ts";
import { missingPaths, saveLastUse } from "../rows/paths.ts";
import { isBeingPublished } from "../rows/publications.ts";
import { resolveKey } from "./resolve.ts";

const DAY_MS = 24 * 3600 * 1000;

/** The column of a path by which an owner of each type is found. */
const COLUMNS: Record<OwnerType, Parameters<typeof saveLastUse>[1]> = {
  path: "hash",
  deriver: "deriver",
  nar: "nar",
};

/**
 * Milliseconds by which the recorded last use may be too early: rows written are billed and limited. Collections add it
 * to every period, so that no path goes earlier than promised.
 */
export function lastUseSlackMs(c: CatalogContext): number {
  return c.config.graceMs / 2;
}

/** A pusher relies on these paths, as far as they are here. Does nothing in a cache that collects nothing. */
export function touchPaths(c: CatalogContext, hashes: readonly string[]): void {
  touch(c, "path", hashes);
}

/**
 * A pusher has found a path. From here on it stays for as long as a pushed one, or it is gone: deletions in flight end
 * first. So does a publication without an answer, whose narinfo may be there while its row is not. True where the path is
 * here.
 */
export async function touchPath(c: CatalogContext, hash: string): Promise<boolean> {
  if (isBeingDeleted(c, hash) || isBeingPublished(c, hash))
    await c.locks.run(hash, () => resolveKey(c, hash));
  touchPaths(c, [hash]);
  return missingPaths(c, [hash]).length === 0;
}

/** Somebody has read a path that came from an upstream. Written at most once a day. */
export function touchMirrored(c: CatalogContext, hash: string): void {
  if (collects(c.config)) saveLastUse(c, "hash", [hash], c.now() - DAY_MS);
}

/**
 * A pusher is about to put a companion. Recorded before the bucket is written, so that it goes with its owner; deletions
 * in flight that take the same object end first. The owner counts as used: otherwise it could go before the object
 * arrives, which would then stay for ever. Throws {@link Refused} too-many-companions.
 */
export async function announceCompanion(
  c: CatalogContext,
  key: string,
  owner: string | undefined,
): Promise<void> {
  await endDeletionsOf(c, key);
  if (owner !== undefined) requireRoom(c, key, owner);
  // No await from here on: a deletion that begins later finds the row.
  c.transaction(() => {
    const type = ownerTypeOf(key);
    if (owner !== undefined && type !== undefined) touch(c, type, [owner]);
    saveCompanion(c, key, owner);
  });
}

/** Waits for the deletions in flight that take a companion along; those left by a crash are repeated. */
export async function endDeletionsOf(c: CatalogContext, companion: string): Promise<void> {
  for (
    let name = deletionIntentWith(c, companion);
    name !== undefined;
    name = deletionIntentWith(c, companion)
  ) {
    const deletion = name;
    await c.locks.run(deletion, () => resolveKey(c, deletion));
  }
}

function touch(c: CatalogContext, type: OwnerType, owners: readonly string[]): void {
  if (collects(c.config)) saveLastUse(c, COLUMNS[type], owners, c.now() - lastUseSlackMs(c));
}
