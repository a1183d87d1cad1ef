// The first phase of a collection: marks the paths that no root keeps alive. It walks paths from least recently used.
// A path behind the cursor is a root only if pinned, and dies when it has no live referrer. Only dead paths and their
// references are marked, so the work grows with the number of removed paths. Store paths have no reference cycles.
//
// Marks only propose: the sweep checks each path again before it deletes.
import type { CatalogContext } from "../context.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { type Collection, type GcRun, STEP_COST } from "./collection.ts";
import { finish, stop } from "./end.ts";
import { countRoots, UNPINNED } from "./roots.ts";
import { safetyStop } from "./safety-stop.ts";
import { countAll, oldestDead } from "./totals.ts";

/** Paths per statement that the cursor passes, or that are expanded. */
const BATCH = 500;
/** Paths of one step. */
const STEP = 2000;
/** Dead paths that a report names. */
const MAX_NAMED = 100;

export async function mark(c: CatalogContext, run: GcRun): Promise<number> {
  const collection = run.state;
  c.transaction(() => {
    collection.before ??= countAll(c);
    for (let done = 0; done < STEP; ) {
      const paths = expand(c, collection) || passExpired(c, collection) || passOldest(c, collection);
      if (paths === 0) {
        endMarking(c, run);
        return;
      }
      done += paths;
    }
    run.failures = 0;
    saveRun(c, run);
  });
  return STEP_COST;
}

/** Moves the cursor over expired paths. Returns how many; 0 if none are left. */
function passExpired(c: CatalogContext, collection: Collection): number {
  return collection.isBySize ? 0 : pass(c, collection, collection.expiredBefore, BATCH);
}

/** Moves the cursor over the oldest path while the cache is too large. */
function passOldest(c: CatalogContext, collection: Collection): number {
  const { before, dead, rules, droppableBefore } = collection;
  collection.isBySize = true;
  const alive = (before?.bytes ?? 0) - dead.bytes;
  if (rules.maxSizeBytes === null || alive <= rules.maxSizeBytes) return 0;
  return pass(c, collection, droppableBefore, 1);
}

/** Moves the cursor over at most `limit` paths last used before `end`; those without live referrers or pins die. */
function pass(c: CatalogContext, collection: Collection, end: number, limit: number): number {
  const { cursor } = collection;
  const batch = c.sql
    .exec<{ wanted: number; hash: string }>(
      "SELECT wanted, hash FROM paths WHERE (wanted, hash) > (?, ?) AND wanted < ? ORDER BY wanted, hash LIMIT ?",
      cursor.lastUsed,
      cursor.hash,
      end,
      limit,
    )
    .toArray();
  const last = batch.at(-1);
  if (last === undefined) return 0;
  const hashes = JSON.stringify(batch.map(({ hash }) => hash));
  c.sql.exec(
    `INSERT OR IGNORE INTO marks (key, living, level, state) SELECT value, 0, 0, 'fresh' FROM json_each(?1)
     WHERE NOT EXISTS (SELECT 1 FROM refs WHERE reference = value) AND ${UNPINNED("value", "?2")}`,
    hashes,
    c.now(),
  );
  c.sql.exec(
    `UPDATE marks SET state = 'fresh' WHERE key IN (SELECT value FROM json_each(?1)) AND state = 'living'
     AND living <= 0 AND ${UNPINNED("key", "?2")}`,
    hashes,
    c.now(),
  );
  collection.cursor = { lastUsed: last.wanted, hash: last.hash };
  return batch.length;
}

/** Expands dead paths: counts down the live referrers of their references. Returns how many; 0 if none are left. */
function expand(c: CatalogContext, collection: Collection): number {
  const unexpanded = c.sql
    .exec<{ key: string }>("SELECT key FROM marks WHERE state = 'fresh' LIMIT ?", BATCH)
    .toArray()
    .map(({ key }) => key);
  if (unexpanded.length === 0) return 0;
  const { dead, cursor } = collection;
  const hashes = JSON.stringify(unexpanded);
  loseReferrers(c, hashes);
  dead.bytes += loseNars(c, hashes);
  c.sql.exec("UPDATE marks SET state = 'dead' WHERE key IN (SELECT value FROM json_each(?))", hashes);
  c.sql.exec(
    `UPDATE marks SET state = 'fresh' WHERE state = 'living' AND living <= 0
     AND key IN (SELECT reference FROM refs WHERE referrer IN (SELECT value FROM json_each(?1)))
     AND EXISTS (SELECT 1 FROM paths WHERE hash = key AND (wanted, hash) <= (?2, ?3)) AND ${UNPINNED("key", "?4")}`,
    hashes,
    cursor.lastUsed,
    cursor.hash,
    c.now(),
  );
  dead.paths += unexpanded.length;
  if (collection.isBySize) dead.too_large += unexpanded.length;
  else dead.expired += unexpanded.length;
  return unexpanded.length;
}

/**
 * Counts down the live referrers (`living`) of the references of these paths. They are counted when the first
 * referrer dies.
 */
function loseReferrers(c: CatalogContext, hashes: string): void {
  c.sql.exec(
    `INSERT OR IGNORE INTO marks (key, living, level, state)
     SELECT reference, (SELECT count(*) FROM refs AS all_refs WHERE all_refs.reference = lost.reference), 0, 'living'
     FROM (SELECT DISTINCT reference FROM refs WHERE referrer IN (SELECT value FROM json_each(?))) AS lost
     WHERE NOT EXISTS (SELECT 1 FROM marks WHERE key = reference)
     AND EXISTS (SELECT 1 FROM paths WHERE hash = reference)`,
    hashes,
  );
  c.sql.exec(
    `UPDATE marks SET living = living - lost.count, level = max(marks.level, lost.level)
     FROM (SELECT reference, count(*) AS count, max(own.level) + 1 AS level
       FROM json_each(?) JOIN marks AS own ON own.key = value JOIN refs ON referrer = value GROUP BY reference) AS lost
     WHERE marks.key = lost.reference`,
    hashes,
  );
}

/** Counts down the paths of their NARs. Returns the bytes of the NARs that have no path left. */
export function loseNars(c: CatalogContext, hashes: string): number {
  // Read once, because the rows of paths are large and scattered.
  const rows = c.sql
    .exec<{ nar: string; count: number }>(
      "SELECT nar, count(*) AS count FROM paths WHERE hash IN (SELECT value FROM json_each(?)) GROUP BY nar",
      hashes,
    )
    .toArray();
  const lost = JSON.stringify(rows);
  c.sql.exec(
    `INSERT OR IGNORE INTO marks (key, living, level, state)
     SELECT value ->> 'nar', (SELECT count(*) FROM paths WHERE nar = value ->> 'nar'), 0, 'nar' FROM json_each(?)
     WHERE NOT EXISTS (SELECT 1 FROM marks WHERE key = value ->> 'nar')`,
    lost,
  );
  c.sql.exec(
    `UPDATE marks SET living = living - lost.count
     FROM (SELECT value ->> 'nar' AS nar, value ->> 'count' AS count FROM json_each(?)) AS lost
     WHERE marks.key = lost.nar`,
    lost,
  );
  return c.sql
    .exec<{ bytes: number }>(
      `SELECT coalesce(sum(size), 0) AS bytes FROM nars WHERE key IN (SELECT value ->> 'nar' FROM json_each(?))
       AND EXISTS (SELECT 1 FROM marks WHERE marks.key = nars.key AND living <= 0)`,
      lost,
    )
    .one().bytes;
}

function endMarking(c: CatalogContext, run: GcRun): void {
  const collection = run.state;
  collection.roots = countRoots(c, collection);
  collection.oldest = oldestDead(c, MAX_NAMED);
  const reason = safetyStop(c, collection);
  if (reason !== undefined && (collection.dryRun || !collection.force)) {
    stop(c, run, reason);
  } else if (collection.dryRun) {
    finish(c, run);
  } else {
    moveTo(c, run, undefined);
    saveRun(c, run);
  }
}
