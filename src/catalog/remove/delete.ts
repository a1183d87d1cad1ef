// Deletes paths: the narinfo first, so that no client is sent to a deleted NAR. The sweep deletes the NAR later, when
// no client can still have the narinfo cached, and only if no path has the NAR then.
import type { Deleted } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { importPathFromBucket } from "../publish/import.ts";
import { executeDeletions, resolveExpired, resolveKey } from "../publish/resolve.ts";
import { Refused } from "../refuse.ts";
import { companionsOfPath } from "../rows/companions.ts";
import { deletePathRow } from "../rows/index-path.ts";
import { deletingReferrers, recordIntent } from "../rows/intents.ts";
import { type PathRow, pathRow } from "../rows/paths.ts";
import { pinnedOf, pinsNaming } from "../rows/pins.ts";
import { publishingReferrers, settlePublications } from "../rows/publications.ts";
import { referencesOf, referrersOf } from "../rows/references.ts";
import { isUpstream } from "../rows/upstream-paths.ts";
import { makeUrgent, urgentNars } from "../rows/urgent-nars.ts";
import { deleteNarsAtOnce } from "./at-once.ts";

/** Retries because of concurrent operations before a deletion is refused. */
const MAX_ROUNDS = 10;
/** Paths above one among which pins are looked for. */
const MAX_LOOKED_AT = 500;
/** Referrers that a refusal names. */
const MAX_NAMED = 5;
/** NARs left by an earlier call that a repeated one deletes. */
const MAX_LEFT = 1000;

/**
 * Deletes a path; with `withReferrers` also everything that refers to it, directly or not. Throws {@link Refused}:
 * no-such-path, referred or pinned. After a crash, a prefix of the list is deleted and every remaining closure is
 * complete. `withNars` also deletes their NARs at once; repeated, also those that an earlier call has left.
 */
export async function deletePath(
  c: CatalogContext,
  hash: string,
  withReferrers: boolean,
  withNars = false,
): Promise<Deleted> {
  settlePublications(c);
  await resolveExpired(c);
  await c.locks.run(hash, () => resolveKey(c, hash));
  if (pathRow(c, hash) === undefined) await importPathFromBucket(c, hash);
  const deleted: string[] = [];
  const nars = new Set<string>();
  for (let round = 1; pathRow(c, hash) !== undefined; round++) {
    refusePinned(c, hash);
    for (const level of withReferrers ? referrersFirst(c, hash) : [[hash]]) {
      const outcome = await deleteLevel(c, level, withNars);
      if ("rows" in outcome) {
        for (const row of outcome.rows) {
          deleted.push(`${row.hash}-${row.name}`);
          nars.add(row.nar);
        }
        continue;
      }
      // New referrers must be deleted, too: begin again.
      if (round === MAX_ROUNDS || (outcome.isReferred && !withReferrers)) throw outcome.refusal;
      break;
    }
  }
  for (const nar of withNars ? urgentNars(c, MAX_LEFT) : []) nars.add(nar);
  if (nars.size === 0) throw new Refused({ kind: "no-such-path", hash });
  return { deleted, ...(withNars && (await deleteNarsAtOnce(c, [...nars]))) };
}

/**
 * The path and all its referrers in levels, each path in a later level than its referrers: a level is deleted in one
 * bucket operation, of which a crash may leave any part undone. Paths that refer to each other, which only an open cache
 * can have, share the last level with all their references.
 */
function referrersFirst(c: CatalogContext, hash: string): string[][] {
  const references = new Map<string, string[]>([[hash, []]]);
  /** Referrers of each path that are not in a level yet. */
  const counts = new Map<string, number>();
  const unseen = [hash];
  for (let path = unseen.pop(); path !== undefined; path = unseen.pop()) {
    const referrers = referrersOf(c, path);
    counts.set(path, referrers.length);
    for (const referrer of referrers) {
      const known = references.get(referrer);
      known?.push(path);
      if (known !== undefined) continue;
      references.set(referrer, [path]);
      unseen.push(referrer);
    }
  }
  const levels: string[][] = [];
  let level = [...counts].filter(([, count]) => count === 0).map(([path]) => path);
  while (level.length > 0) {
    levels.push(level);
    const after: string[] = [];
    for (const path of level) {
      counts.delete(path);
      for (const reference of references.get(path) ?? []) {
        const count = (counts.get(reference) ?? 0) - 1;
        counts.set(reference, count);
        if (count === 0) after.push(reference);
      }
    }
    level = after;
  }
  if (counts.size > 0) levels.push([...counts.keys()]);
  return levels;
}

type LevelOutcome =
  /** The deleted paths. */
  | { readonly rows: readonly PathRow[] }
  /** None was deleted: other paths refer to one of them, or the deletion of a referrer has just begun. */
  | { readonly isReferred: boolean; readonly refusal: Refused };

/** Deletes paths, unless other paths refer to them. */
async function deleteLevel(
  c: CatalogContext,
  hashes: readonly string[],
  withNars: boolean,
): Promise<LevelOutcome> {
  const level = new Set(hashes);
  // These referrers have no row any more, but clients may still see them.
  for (const referrer of deletingReferrers(c, ...hashes)) {
    await c.locks.run(referrer, () => resolveKey(c, referrer));
  }
  return c.locks.runAll(hashes, async () => {
    // No await between this and the intents: a publication that refers to one of these paths is recorded before, or
    // finds the path missing.
    for (const hash of hashes) {
      // Its referrers have it there.
      if (isUpstream(c, baseName(c, hash))) continue;
      const referrers = [
        ...referrersOf(c, hash, level.size + MAX_NAMED + 1).filter((referrer) => !level.has(referrer)),
        ...publishingReferrers(c, hash),
      ];
      const vanishing = deletingReferrers(c, hash);
      if (referrers.length + vanishing.length === 0) continue;
      const refusal = referredRefusal(c, hash, [...referrers, ...vanishing]);
      return { isReferred: referrers.length > 0, refusal };
    }
    // Pinned since the deletion began.
    const [pinned] = pinnedOf(c, hashes);
    if (pinned !== undefined) return { isReferred: false, refusal: pinnedRefusal(c, pinned) };
    const rows = hashes.flatMap((hash) => pathRow(c, hash) ?? []);
    c.transaction(() => {
      for (const { hash } of rows) beginPathDeletion(c, hash);
      if (withNars)
        makeUrgent(
          c,
          rows.map(({ nar }) => nar),
        );
    });
    await executeDeletions(c, hashes);
    return { rows };
  });
}

/** The closure of a pinned path is not deleted. Throws {@link Refused} pinned. */
function refusePinned(c: CatalogContext, hash: string): void {
  if (pinsHolding(c, hash, 1).length > 0) throw pinnedRefusal(c, hash);
}

/** The path and all that refers to it, directly or not; of more than `limit` some. */
export function pathsAbove(c: CatalogContext, hash: string, limit: number): Set<string> {
  const found = new Set([hash]);
  for (const path of found) {
    if (found.size > limit) break;
    for (const referrer of referrersOf(c, path, limit + 1)) found.add(referrer);
  }
  return found;
}

/** Names of pins in whose closure a path is, at most `limit`. Where too many paths refer to it, it is not deleted anyway. */
function pinsHolding(c: CatalogContext, hash: string, limit: number): string[] {
  return pinsNaming(c, [...pathsAbove(c, hash, MAX_LOOKED_AT)], limit);
}

function pinnedRefusal(c: CatalogContext, hash: string): Refused {
  const pins = pinsHolding(c, hash, MAX_NAMED + 1);
  return new Refused({
    kind: "pinned",
    path: baseName(c, hash),
    pins: pins.slice(0, MAX_NAMED),
    more: pins.length > MAX_NAMED,
  });
}

/** Deletes a narinfo and its row; the caller holds the lock. The intent and `alongside` are one transaction. */
export async function deleteNarInfo(
  c: CatalogContext,
  hash: string,
  alongside: () => void = () => {},
): Promise<void> {
  c.transaction(() => {
    beginPathDeletion(c, hash);
    alongside();
  });
  await executeDeletions(c, [hash]);
}

/**
 * Records the intent to delete a narinfo, which is final, and removes its rows. Returns the number of objects. Call it in
 * a transaction.
 */
export function beginPathDeletion(c: CatalogContext, hash: string): number {
  const nar = pathRow(c, hash)?.nar;
  const references = referencesOf(c, hash);
  const objects = companionsOfPath(c, hash);
  deletePathRow(c, hash);
  // Clients may need NAR and references until the narinfo is gone.
  recordIntent(c, {
    kind: "delete-path",
    key: hash,
    references,
    objects,
    ...(nar !== undefined && { nars: [nar] }),
  });
  return 1 + objects.length;
}

function referredRefusal(c: CatalogContext, hash: string, referrers: readonly string[]): Refused {
  return new Refused({
    kind: "referred",
    path: baseName(c, hash),
    referrers: referrers.slice(0, MAX_NAMED).map((referrer) => baseName(c, referrer)),
    more: referrers.length > MAX_NAMED,
  });
}

/** Only the hash part if the catalog has no row (any more). */
function baseName(c: CatalogContext, hash: string): string {
  const row = pathRow(c, hash);
  return row === undefined ? hash : `${hash}-${row.name}`;
}
