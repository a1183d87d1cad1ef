// How long a cache keeps paths that are not pinned: `retention_days` and `max_size_gb` of its CACHES entry.

const DAY_MS = 24 * 3600 * 1000;
/** Bytes of `max_size_gb`, as R2 bills them. */
export const GB = 1e9;
/**
 * Seconds for which a pushed or requested object always stays: a narinfo's max-age of an hour, and a day for pushes
 * in progress and for clients that have downloaded the narinfo.
 */
const DEFAULT_GRACE_SECONDS = 25 * 3600;
/** The time of a short push; a lower value is a mistake even in a test. */
const MIN_GRACE_SECONDS = 10;
/** Some thirty years: times minus the grace must stay valid dates. */
const MAX_GRACE_SECONDS = 999_999_999;
/** A hundred years: times plus the retention must stay valid dates. */
const MAX_DAYS = 36_500;

export interface Retention {
  /** Days for which a path stays after a pusher has pushed it or asked for it. Absent: for ever. */
  readonly retentionDays?: number;
  /** Bytes in the bucket above which the least recently used paths are removed. Absent: no limit. */
  readonly maxSizeBytes?: number;
  /** Milliseconds for which a NAR outlives its last path and its last upload, and a path its last push. */
  readonly graceMs: number;
}

/** Whether anything is ever collected. */
export function collects({ retentionDays, maxSizeBytes }: Retention): boolean {
  return retentionDays !== undefined || maxSizeBytes !== undefined;
}

/** Milliseconds for which a path stays after a use. */
export function retentionMs({ retentionDays, graceMs }: Retention): number {
  return retentionDays === undefined ? Number.POSITIVE_INFINITY : Math.max(retentionDays * DAY_MS, graceMs);
}

/** Parses a cache's entry of CACHES; each mistake becomes a line of `problems` that begins with `label`. */
export function retentionOf(
  label: string,
  entry: Readonly<Record<string, unknown>>,
  problems: string[],
): Omit<Retention, "graceMs"> {
  const setting = (name: string, max: number, example: string) => {
    const value = entry[name];
    if (value === undefined) return undefined;
    if (typeof value === "number" && value > 0 && value <= max) return value;
    problems.push(
      `${label}.${name}: must be a number above 0 and at most ${max}, such as ${example}; nothing is collected until it is`,
    );
    return undefined;
  };
  const retentionDays = setting("retention_days", MAX_DAYS, "90");
  const maxSize = setting("max_size_gb", 1e9, "500");
  return {
    ...(retentionDays !== undefined && { retentionDays }),
    ...(maxSize !== undefined && { maxSizeBytes: maxSize * GB }),
  };
}

/** The milliseconds of GC_GRACE_SECONDS. */
export function graceMsOf(value: unknown, problems: string[]): number {
  return graceSeconds(value, problems) * 1000;
}

function graceSeconds(value: unknown, problems: string[]): number {
  if (value === undefined || value === null || value === "") return DEFAULT_GRACE_SECONDS;
  const number = typeof value === "string" && /^\d{1,9}$/.test(value.trim()) ? Number(value) : value;
  const isWhole = typeof number === "number" && Number.isInteger(number);
  if (isWhole && number >= MIN_GRACE_SECONDS && number <= MAX_GRACE_SECONDS) return number;
  problems.push(
    `GC_GRACE_SECONDS: must be a whole number from ${MIN_GRACE_SECONDS} to ${MAX_GRACE_SECONDS}; using ${DEFAULT_GRACE_SECONDS}`,
  );
  return DEFAULT_GRACE_SECONDS;
}
