// The state of a reindex between its steps.
import type { CatalogContext } from "../context.ts";
import { type Run, runRecord } from "../runs/run.ts";
import type { WalkCounts } from "../scan/counts.ts";

export interface ReindexState {
  readonly counts: WalkCounts & {
    /** Paths added to the catalog or updated. */
    indexed: number;
    /** Removed rows of paths and NARs without an object in the bucket. */
    removed: number;
  };
  /** The hash part of a path whose narinfo may be valid but cannot be read here, if any. */
  unreadableNarinfo?: string;
}

export type ReindexRun = Run<"reindex", ReindexState>;

export const REINDEX_RECORD = runRecord<"reindex", ReindexState>("reindex", 1);

export function startReindex(c: CatalogContext): ReindexRun {
  return REINDEX_RECORD.start(c, { counts: { narinfos: 0, nars: 0, indexed: 0, removed: 0 } });
}

/** Starts a reindex unless one is under way. */
export function ensureReindex(c: CatalogContext): ReindexRun {
  const current = REINDEX_RECORD.load(c);
  return current === undefined || current.finished !== undefined ? startReindex(c) : current;
}
