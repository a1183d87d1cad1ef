// The first phase of a collection: marks the paths that no root keeps alive. A path behind the cursor, which is a place in
// the order of last use, is a root only if pinned, and dies when it has no live referrer. Only dead paths and their
// references are marked, so the rows written grow with the number of removed paths. Store paths have no reference cycles.
//
// Marks only propose: the sweep checks each path again before it deletes.
import type { CatalogContext } from "../context.ts";
import { metered } from "../meter.ts";
import { referencesIn } from "../rows/references.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { type Collection, type GcRun, STEP_COST } from "./collection.ts";
import { finish, stop } from "./end.ts";
import { nameOldest } from "./oldest.ts";
import { UNPINNED } from "./roots.ts";
import { safetyStop } from "./safety-stop.ts";
import { countNars, nextOldest, surveyPaths } from "./survey.ts";

/** Dead paths that are expanded together: for each reference the referrers are counted. */
const EXPANDED = 10;
/** References of the paths that are expanded together, and of one statement. */
const MAX_REFERENCES = 20_000;
const BATCH = 500;
/** Rows of paths of one step. */
const STEP = 2000;
/** Rows read, and rows written, after which a step ends early. */
const STEP_ROWS = 40_000;
const STEP_WRITES = 8_000;
/**
 * Referrers that are counted. A path with more stays in this collection, even if all of them go; the next one takes it,
 * for then none is left to count.
 */
export const MAX_REFERRERS = 10_000;
/** SQL for the number of referrers of a path, of which `reference` is SQL for the hash part. */
const LIVING = (reference: string) =>
  `(SELECT iif(count(*) > ${MAX_REFERRERS}, ${Number.MAX_SAFE_INTEGER}, count(*)) FROM
     (SELECT 1 FROM refs AS every WHERE every.reference = ${reference} LIMIT ${MAX_REFERRERS + 1}))`;
/** Dead paths that a report names. */
const MAX_NAMED = 100;

export async function mark(own: CatalogContext, run: GcRun): Promise<number> {
  const collection = run.state;
  const { context: c, spent } = metered(own);
  c.transaction(() => {
    const isEnough = () => spent().rows_read >= STEP_ROWS || spent().rows_written >= STEP_WRITES;
    for (let done = 0; done < STEP && !isEnough(); ) {
      const rows =
        expand(c, collection) ||
        passExpired(c, collection) ||
        countNars(c, collection) ||
        passOldest(c, collection);
      if (rows === 0) {
        endMarking(c, run);
        return;
      }
      done += rows;
    }
    run.failures = 0;
    saveRun(c, run);
  });
  return STEP_COST;
}

/** Passes the expired among the next paths. Returns how many it has looked at; 0 if none are left. */
function passExpired(c: CatalogContext, collection: Collection): number {
  const { count, expired } = surveyPaths(c, collection);
  if (expired.length > 0) pass(c, collection, expired);
  return count;
}

/** Moves the cursor over the oldest path while the cache is too large. Returns about how many it has looked at. */
function passOldest(c: CatalogContext, collection: Collection): number {
  const { before, dead, rules } = collection;
  collection.isBySize = true;
  const alive = before.bytes - dead.bytes;
  if (rules.maxSizeBytes === null || alive <= rules.maxSizeBytes) return 0;
  const { count, oldest } = nextOldest(c, collection);
  if (oldest !== undefined) {
    collection.cursor = oldest;
    pass(c, collection, [oldest.hash]);
  }
  return count;
}

/** These paths are behind the cursor: those without live referrers or pins die. */
function pass(c: CatalogContext, collection: Collection, passed: readonly string[]): void {
  const hashes = JSON.stringify(passed);
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
  const { unpinned } = c.sql
    .exec<{ unpinned: number }>(
      `SELECT count(*) AS unpinned FROM json_each(?1) WHERE ${UNPINNED("value", "?2")}`,
      hashes,
      c.now(),
    )
    .one();
  collection.roots -= unpinned;
}

/** Expands dead paths: counts down the live referrers of their references. Returns how many; 0 if none are left. */
function expand(c: CatalogContext, collection: Collection): number {
  const { dead, cursor } = collection;
  const paths = nextFresh(c);
  if (paths.length === 0) return 0;
  const lost = lostReferrers(paths);
  for (let at = 0; at < lost.length; at += BATCH)
    loseReferrers(c, JSON.stringify(lost.slice(at, at + BATCH)));
  dead.bytes += loseNars(c, paths);
  c.sql.exec(
    "UPDATE marks SET state = 'dead' WHERE key IN (SELECT value FROM json_each(?))",
    JSON.stringify(paths.map(({ key }) => key)),
  );
  for (let at = 0; at < lost.length; at += BATCH) {
    c.sql.exec(
      `UPDATE marks SET state = 'fresh' WHERE state = 'living' AND living <= 0
       AND key IN (SELECT value ->> 'reference' FROM json_each(?1))
       AND EXISTS (SELECT 1 FROM paths WHERE hash = key AND (wanted, hash) <= (?2, ?3)) AND ${UNPINNED("key", "?4")}`,
      JSON.stringify(lost.slice(at, at + BATCH)),
      cursor.lastUsed,
      cursor.hash,
      c.now(),
    );
  }
  nameOldest(c, collection, paths, MAX_NAMED);
  dead.paths += paths.length;
  if (collection.isBySize) dead.too_large += paths.length;
  else dead.expired += paths.length;
  return paths.length;
}

interface Fresh extends Record<string, SqlStorageValue> {
  key: string;
  level: number;
  /** These are null where the path has been deleted meanwhile. */
  name: string | null;
  wanted: number | null;
  nar: string | null;
  narinfo: string | null;
}

/** Dead paths that are to be expanded, together with {@link MAX_REFERENCES} references or one more path. */
function nextFresh(c: CatalogContext): Fresh[] {
  const paths: Fresh[] = [];
  let references = 0;
  const rows = c.sql.exec<Fresh>(
    `SELECT key, level, name, wanted, nar, narinfo FROM (SELECT key, level FROM marks WHERE state = 'fresh' LIMIT ?)
     LEFT JOIN paths ON hash = key`,
    EXPANDED,
  );
  for (const row of rows) {
    paths.push(row);
    references += referencesIn(row.narinfo ?? "").length;
    if (references >= MAX_REFERENCES) break;
  }
  return paths;
}

interface Lost {
  readonly reference: string;
  /** Of its referrers, how many have died. */
  count: number;
  /** One more than the highest of these. */
  level: number;
}

function lostReferrers(paths: readonly Fresh[]): Lost[] {
  const lost = new Map<string, Lost>();
  for (const { level, narinfo } of paths) {
    for (const reference of referencesIn(narinfo ?? "")) {
      const known = lost.get(reference) ?? { reference, count: 0, level: 0 };
      known.count++;
      known.level = Math.max(known.level, level + 1);
      lost.set(reference, known);
    }
  }
  return [...lost.values()];
}

/** Counts down the live referrers (`living`) of references. They are counted when the first referrer dies. */
function loseReferrers(c: CatalogContext, lost: string): void {
  c.sql.exec(
    `INSERT OR IGNORE INTO marks (key, living, level, state)
     SELECT lost.reference, ${LIVING("lost.reference")}, 0, 'living'
     FROM (SELECT value ->> 'reference' AS reference FROM json_each(?)) AS lost
     WHERE NOT EXISTS (SELECT 1 FROM marks WHERE key = lost.reference)
     AND EXISTS (SELECT 1 FROM paths WHERE hash = lost.reference)`,
    lost,
  );
  c.sql.exec(
    `UPDATE marks SET living = living - lost.count, level = max(marks.level, lost.level)
     FROM (SELECT value ->> 'reference' AS reference, value ->> 'count' AS count, value ->> 'level' AS level
       FROM json_each(?)) AS lost
     WHERE marks.key = lost.reference`,
    lost,
  );
}

/** Counts down the paths of their NARs. Returns the bytes of the NARs that have no path left. */
export function loseNars(c: CatalogContext, paths: readonly Pick<Fresh, "nar">[]): number {
  const counts = new Map<string, number>();
  for (const { nar } of paths) if (nar !== null) counts.set(nar, (counts.get(nar) ?? 0) + 1);
  const lost = JSON.stringify([...counts].map(([nar, count]) => ({ nar, count })));
  c.sql.exec(
    `INSERT OR IGNORE INTO marks (key, living, level, state)
     SELECT key, (path IS NOT NULL) + (SELECT count(*) FROM further_paths WHERE nar = key), 0, 'nar'
     FROM nars WHERE key IN (SELECT value ->> 'nar' FROM json_each(?))
     AND NOT EXISTS (SELECT 1 FROM marks WHERE marks.key = nars.key)`,
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
