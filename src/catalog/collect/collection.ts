// What a collection has found and done: the state that it keeps between its steps, and its report.
import { GB } from "../../config/retention.ts";
import type { Amount, GcReport, Spent } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { loadRun, progress } from "../runs/runs.ts";
import { isoTime } from "../times.ts";

/** A place in the order by age: when a path was last wanted, in milliseconds since the epoch, then its hash part. */
export interface Place {
  readonly lastUsed: number;
  readonly hash: string;
}

export interface Collection {
  readonly dryRun: boolean;
  force: boolean;
  /** As configured when it began. */
  readonly rules: Rules;
  /** Since when the catalog has noted what pushers want, in milliseconds; null where it does not, or not of all paths. */
  since: number | null;
  /** Paths last wanted before this are no roots; 0: by their age all are. Milliseconds since the epoch. */
  readonly expiredBefore: number;
  /** While the cache is too large, the oldest that were last wanted before this cease to be roots. */
  readonly droppableBefore: number;
  /** What was here when it began; bytes are those of the NARs in the bucket, each counted once. Null: not counted. */
  before: Amount | null;
  /** Everything up to here ceased to be a root, unless it is pinned. */
  cursor: Place;
  /** No longer the expired ones, but the oldest because of `max_size_gb`. */
  isBySize: boolean;
  roots: number;
  /** What no root holds; of these paths, how many because of their age, and how many for the size. */
  readonly dead: { paths: number; bytes: number; expired: number; too_large: number };
  /** The oldest of the dead, for a person. */
  oldest: readonly { readonly store_path: string; readonly last_used: string }[];
  /** Deleted so far; the bytes leave the bucket a grace period later. */
  readonly removed: Amount;
  /** Dead when it looked, and wanted, pinned or referred to before they could go. */
  spared: number;
  /** NARs that were uploaded and never published. */
  uploads: number;
  /** Why it ended before it deleted anything, or before its end; what to do. */
  stopped?: string;
  spent: Spent;
}

export interface Rules {
  readonly retentionDays: number | null;
  readonly maxSizeBytes: number | null;
  readonly graceMs: number;
}

export function rulesOf({ config }: CatalogContext): Rules {
  const { retentionDays = null, maxSizeBytes = null, graceMs } = config;
  return { retentionDays, maxSizeBytes, graceMs };
}

/** `undefined` where none has been asked for yet. */
export function gcReport(c: CatalogContext): GcReport | undefined {
  const run = loadRun(c, "gc");
  if (run?.collection === undefined) return undefined;
  const { collection } = run;
  const before = collection.before ?? { paths: 0, bytes: 0 };
  const { dryRun: dry_run, force, rules, dead, roots, oldest, removed, spared, uploads, spent } = collection;
  const { pins } = c.sql.exec<{ pins: number }>("SELECT count(*) AS pins FROM pins").one();
  return {
    ...progress(run),
    dry_run,
    force,
    retention_days: rules.retentionDays,
    max_size_gb: rules.maxSizeBytes === null ? null : rules.maxSizeBytes / GB,
    ...(collection.stopped !== undefined && { stopped: collection.stopped }),
    ...before,
    pins,
    roots,
    alive: { paths: before.paths - dead.paths, bytes: before.bytes - dead.bytes },
    dead,
    oldest,
    removed,
    spared,
    unpublished_nars: uploads,
    spent,
  };
}

/** Base names and times of the oldest dead, at most `limit`. */
export function oldestDead(c: CatalogContext, limit: number): Collection["oldest"] {
  return c.sql
    .exec<{ hash: string; name: string; wanted: number }>(
      // Along the index, so that it ends with the last that it names.
      `SELECT hash, name, wanted FROM paths INDEXED BY paths_by_want
       WHERE (SELECT state FROM marks WHERE key = hash) = 'dead' ORDER BY wanted, hash LIMIT ?`,
      limit,
    )
    .toArray()
    .map(({ hash, name, wanted }) => ({
      store_path: `${c.config.storeDir}/${hash}-${name}`,
      last_used: isoTime(wanted),
    }));
}
