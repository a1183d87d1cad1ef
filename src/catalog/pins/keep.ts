// The rule for keeping revisions of a pin.
import { DEFAULT_KEEP_REVISIONS, type Keep, MAX_REVISIONS } from "../../contract/pins.ts";

const DAY_MS = 24 * 3600 * 1000;

/** The rule of a request. */
export function ruleOf({ keepRevisions, keepDays }: Keep): Keep {
  if (keepRevisions === undefined && keepDays === undefined) return { keepRevisions: DEFAULT_KEEP_REVISIONS };
  return {
    ...(keepRevisions !== undefined && { keepRevisions }),
    ...(keepDays !== undefined && { keepDays }),
  };
}

/**
 * When the revision with this index, the newest being 0, ceases to be kept, in milliseconds since the epoch; `undefined`:
 * not by time. `KEPT` of rows/pins.ts says the same in SQL.
 */
export function untilOf(pinned: number, index: number, keep: Keep): number | undefined {
  if (index >= MAX_REVISIONS) return 0;
  if (index < numberOf(keep)) return undefined;
  return keep.keepDays === undefined ? 0 : pinned + keep.keepDays * DAY_MS;
}

/** Revisions that a rule keeps at most. */
export function mostOf(keep: Keep): number {
  return keep.keepDays === undefined ? numberOf(keep) : MAX_REVISIONS;
}

/** Those that it keeps by number. Without a rule: of an earlier version, which kept all. */
function numberOf({ keepRevisions, keepDays }: Keep): number {
  return keepRevisions ?? (keepDays === undefined ? MAX_REVISIONS : 1);
}
