// What an operator must know of a catalog, for /health: one line each, without names of paths, because everybody may read
// it. A bounded number of rows, and kept for a while.
import { collects } from "../../config/retention.ts";
import { CHECK_RECORD } from "../check/state.ts";
import { GC_RECORD } from "../collect/collection.ts";
import type { CatalogContext } from "../context.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { REINDEX_RECORD } from "../reindex/state.ts";
import { countUnrepaired } from "../rows/findings.ts";
import { oldestQueued } from "../rows/nar-queue.ts";
import { lastCompleted, type Run } from "../runs/run.ts";

/** Milliseconds for which the lines are kept: every isolate of the Worker may ask. */
const AGE_MS = 30_000;
/** Milliseconds after which a daily collection counts as overdue. */
const COLLECTION_MS = 2 * 24 * 3600_000;
/** Milliseconds after which verification counts as behind. */
const VERIFICATION_MS = 30 * 60_000;

/** Keeps the lines in memory for {@link AGE_MS}. */
export class RecentNotices {
  #known: { readonly at: number; readonly notices: readonly string[] } | undefined;

  get(c: CatalogContext): readonly string[] {
    const now = c.now();
    if (this.#known === undefined || now >= this.#known.at + AGE_MS || now < this.#known.at) {
      this.#known = { at: now, notices: noticesOf(c) };
    }
    return this.#known.notices;
  }
}

function noticesOf(c: CatalogContext): string[] {
  return [
    ...indexNotices(c),
    ...collectionNotices(c),
    ...checkNotices(c),
    ...verificationNotices(c),
    ...failures(c),
  ];
}

/** A later reindex delays nothing. */
function indexNotices(c: CatalogContext): string[] {
  const reindex = isIndexed(c) ? undefined : REINDEX_RECORD.load(c);
  if (reindex === undefined) return [];
  return [
    `index: it is being built from the bucket (${reindex.phase}); nothing is deleted before that ends, and pushes may be refused`,
  ];
}

function collectionNotices(c: CatalogContext): string[] {
  if (!collects(c.config)) return [];
  const run = GC_RECORD.load(c);
  const { stopped, dryRun } = run?.state ?? {};
  if (stopped !== undefined && !dryRun) {
    return ["collection: the last one stopped before its end; GET /api/v1/gc says why"];
  }
  const { oldest } = c.sql
    .exec<{ oldest: number | null }>("SELECT min(first_push) AS oldest FROM paths")
    .one();
  // Only a reindex takes in paths that are older than the cache.
  const began = Math.max(oldest ?? c.now(), lastCompleted(c, "reindex") ?? 0);
  const since = lastCompleted(c, "gc") ?? began;
  if (c.now() - since <= COLLECTION_MS) return [];
  return [
    `collection: none has reached its end for ${days(c.now() - since)}; GET /api/v1/gc, and check the cron trigger`,
  ];
}

function checkNotices(c: CatalogContext): string[] {
  const run = CHECK_RECORD.load(c);
  if (run === undefined) return [];
  const count = countUnrepaired(c, "check");
  if (count === 0) return [];
  return [
    `check: the last one has found ${count} problems that are not repaired; GET /api/v1/check names them`,
  ];
}

function verificationNotices(c: CatalogContext): string[] {
  const oldest = c.config.verify === "off" ? undefined : oldestQueued(c);
  const waited = oldest === undefined ? 0 : c.now() - oldest;
  if (waited <= VERIFICATION_MS) return [];
  return [`verification: it is behind: a NAR has waited for ${Math.floor(waited / 60_000)} minutes`];
}

/** Runs whose last step has failed; alarms try again. */
function failures(c: CatalogContext): string[] {
  const runs: readonly (Run | undefined)[] = [
    REINDEX_RECORD.load(c),
    GC_RECORD.load(c),
    CHECK_RECORD.load(c),
  ];
  return runs.flatMap((run) =>
    run === undefined || run.finished !== undefined || run.problem === undefined
      ? []
      : [`${run.kind}: its last step failed and is tried again; GET /api/v1/${run.kind} says why`],
  );
}

function days(ms: number): string {
  return `${Math.floor(ms / (24 * 3600_000))} days`;
}
