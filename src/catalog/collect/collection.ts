// The state of a collection between its steps.
import type { Amount, Spent } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { type Run, runRecord } from "../runs/run.ts";

/** A step over rows takes about as long as this many bucket operations. */
export const STEP_COST = 10;

/** A place in the order by last use: its time in milliseconds since the epoch, then the path's hash part. */
export interface Place {
  readonly lastUsed: number;
  readonly hash: string;
}

/** How far all paths and NARs have been looked at. */
export interface Surveyed {
  /** The number of the last row of `paths`; null: all of them. */
  paths: number | null;
  /** The key of the last NAR; null: all of them. */
  nars: string | null;
  /** The same as `paths`, for the oldest; null while the cursor passes those that have been found. */
  oldest: number | null;
  /** The oldest paths after the cursor, in their order. */
  readonly found: Place[];
  /** Whether there are no others. */
  isAllFound: boolean;
}

/** Times are milliseconds since the epoch. */
export interface Collection {
  readonly dryRun: boolean;
  force: boolean;
  /** Whether paths that an upstream has go, too. */
  readonly upstreams?: boolean;
  /** Those that go or went; absent before the first is counted. */
  upstream?: Amount;
  /** As configured when the collection began. */
  readonly rules: Rules;
  /** Since when the catalog has recorded the last use of all paths; null if it does not. */
  since: number | null;
  /** Paths last used before this are no roots; 0: none has expired. */
  readonly expiredBefore: number;
  /** While the cache is too large, the oldest paths, if last used before this, cease to be roots. */
  readonly droppableBefore: number;
  /** Totals, as far as they have been counted; the bytes of each NAR in the bucket count once. */
  before: { paths: number; bytes: number };
  /** The same, before the paths went that an upstream has. */
  began?: Amount;
  /** The last use of all, as far as has been looked. */
  newest: number | null;
  surveyed: Surveyed;
  /** Paths up to here are roots only if they are pinned. */
  cursor: Place;
  /** All expired paths have been passed; from here on the cursor moves because of `max_size_gb`. */
  isBySize: boolean;
  roots: number;
  /** Paths that no root keeps alive, how many of them because of their age, and how many because of the size. */
  readonly dead: { paths: number; bytes: number; expired: number; too_large: number };
  /** The oldest dead paths, for a person. */
  oldest: readonly { readonly store_path: string; readonly last_used: string }[];
  /** Deleted so far; the bytes are freed a grace period later. */
  readonly removed: Amount;
  /** Paths marked dead, and used, pinned or referred to before they were deleted. */
  spared: number;
  /** Released NARs that were uploaded and never published. */
  uploads: number;
  /** Why the collection ended early, and the remedy. */
  stopped?: string;
  spent: Spent;
}

export type GcRun = Run<"gc", Collection>;

export const GC_RECORD = runRecord<"gc", Collection>("gc", 2, clearMarks);

export interface Rules {
  readonly retentionDays: number | null;
  readonly maxSizeBytes: number | null;
  readonly graceMs: number;
}

export function rulesOf({ config }: CatalogContext): Rules {
  const { retentionDays = null, maxSizeBytes = null, graceMs } = config;
  return { retentionDays, maxSizeBytes, graceMs };
}

/** Nothing has been looked at. */
export function unsurveyed(): Pick<Collection, "before" | "surveyed"> {
  return {
    before: { paths: 0, bytes: 0 },
    surveyed: { paths: 0, nars: "", oldest: null, found: [], isAllFound: false },
  };
}

/** Deletes as many marks. Returns whether there may be more. */
export function clearMarks(c: CatalogContext, limit: number): boolean {
  const deleted = c.sql
    .exec("DELETE FROM marks WHERE key IN (SELECT key FROM marks LIMIT ?) RETURNING 1", limit)
    .toArray();
  return deleted.length === limit;
}
