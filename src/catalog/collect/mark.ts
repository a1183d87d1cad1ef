// Marking: which paths no root holds. It walks the paths from the oldest on, and those that it has passed are no
// roots any more, unless they are pinned. A passed path dies when nothing that lives refers to it: at once, or when
// the last of its referrers dies. So the marks are those of the dead and of what they refer to, and the work grows
// with what goes and not with what stays. References between store paths have no circles.
//
// Marks only propose. What happens meanwhile may make them wrong; the sweep looks again before it deletes.

import type { CatalogContext } from "../context.ts";
import { moveTo, type Run, saveRun } from "../runs/runs.ts";
import { type Collection, oldestDead } from "./collection.ts";
import { countAll, finish, safetyStop, stop } from "./request.ts";

/** Paths that are passed, and dead ones whose references are looked at, in one statement. */
const BATCH = 500;
/** Paths of one step. */
const STEP = 2000;
/** A step takes as long as so many bucket operations. */
const STEP_COST = 10;
/** Dead paths that a report names. */
const MAX_NAMED = 100;

/** Of a path with the hash `hash`. */
const UNPINNED = (hash: string, now: string) =>
  `NOT EXISTS (SELECT 1 FROM pin_revisions AS pin WHERE pin.hash = ${hash} AND (pin.until IS NULL OR pin.until > ${now}))`;

export async function mark(c: CatalogContext, run: Run, collection: Collection): Promise<number> {
  c.transaction(() => {
    collection.before ??= countAll(c);
    for (let done = 0; done < STEP; ) {
      const paths = expand(c, collection) || passExpired(c, collection) || passOldest(c, collection);
      if (paths === 0) {
        endMarking(c, run, collection);
        return;
      }
      done += paths;
    }
    run.failures = 0;
    saveRun(c, run);
  });
  return STEP_COST;
}

/** Passes paths whose retention is over. How many; 0 where there are no more. */
function passExpired(c: CatalogContext, collection: Collection): number {
  return collection.isBySize ? 0 : pass(c, collection, collection.expiredBefore, BATCH);
}

/** While the cache is too large, passes the oldest path. */
function passOldest(c: CatalogContext, collection: Collection): number {
  const { before, dead, rules, droppableBefore } = collection;
  collection.isBySize = true;
  const alive = (before?.bytes ?? 0) - dead.bytes;
  if (rules.maxSizeBytes === null || alive <= rules.maxSizeBytes) return 0;
  return pass(c, collection, droppableBefore, 1);
}

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
    `INSERT OR IGNORE INTO marks SELECT value, 0, 0, 'fresh' FROM json_each(?1)
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

/** Looks at what the freshly dead refer to, and at their NARs. How many; 0 where there are none. */
function expand(c: CatalogContext, collection: Collection): number {
  const fresh = c.sql
    .exec<{ key: string }>("SELECT key FROM marks WHERE state = 'fresh' LIMIT ?", BATCH)
    .toArray()
    .map(({ key }) => key);
  if (fresh.length === 0) return 0;
  const { dead, cursor } = collection;
  const hashes = JSON.stringify(fresh);
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
  dead.paths += fresh.length;
  if (collection.isBySize) dead.too_large += fresh.length;
  else dead.expired += fresh.length;
  return fresh.length;
}

/** What these refer to has fewer living referrers. Those are counted once for each path, whoever asks first. */
function loseReferrers(c: CatalogContext, hashes: string): void {
  c.sql.exec(
    `INSERT OR IGNORE INTO marks
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

/** Their NARs have fewer paths. The bytes of those that have none left: each tells its own once. */
function loseNars(c: CatalogContext, hashes: string): number {
  // Read once: the rows of paths are wide, and lie far apart.
  const rows = c.sql
    .exec<{ nar: string; count: number }>(
      "SELECT nar, count(*) AS count FROM paths WHERE hash IN (SELECT value FROM json_each(?)) GROUP BY nar",
      hashes,
    )
    .toArray();
  const lost = JSON.stringify(rows);
  c.sql.exec(
    `INSERT OR IGNORE INTO marks
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

function endMarking(c: CatalogContext, run: Run, collection: Collection): void {
  collection.roots = countRoots(c, collection);
  collection.oldest = oldestDead(c, MAX_NAMED);
  const doubt = safetyStop(c, collection);
  if (doubt !== undefined && (collection.dryRun || !collection.force)) {
    stop(c, run, doubt);
  } else if (collection.dryRun) {
    finish(c, run);
  } else {
    moveTo(c, run, undefined);
    saveRun(c, run);
  }
}

function countRoots(c: CatalogContext, { cursor }: Collection): number {
  return c.sql
    .exec<{ roots: number }>(
      `SELECT (SELECT count(*) FROM paths WHERE (wanted, hash) > (?1, ?2))
         + (SELECT count(*) FROM paths WHERE hash IN (SELECT hash FROM pin_revisions)
            AND (wanted, hash) <= (?1, ?2) AND NOT ${UNPINNED("paths.hash", "?3")}) AS roots`,
      cursor.lastUsed,
      cursor.hash,
      c.now(),
    )
    .one().roots;
}
