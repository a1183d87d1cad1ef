// The conditions of every step of a collection: unchanged rules, a valid configuration, a fully indexed bucket.
import { collects } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import { addSpent, metered } from "../meter.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { unreadablePin } from "../reindex/pins.ts";
import { ensureReindex, REINDEX_RECORD } from "../reindex/state.ts";
import { BLOCKED, type Step } from "../runs/definition.ts";
import { saveRun } from "../runs/run.ts";
import { requireValidConfig } from "../runs/valid-config.ts";
import { type Collection, GC_RECORD, type GcRun, rulesOf } from "./collection.ts";
import { stop } from "./end.ts";

/** Rows that take about as long to read as one operation of the bucket. */
const ROWS_OF_AN_OPERATION = 4_000;

export type GcStep = Step<"gc", Collection>;

/** The same step, done only while it is safe, with its cost counted. */
export function guarded(work: GcStep): GcStep {
  return async (c, run) => {
    const collection = run.state;
    // Check this before the configuration: a cache with invalid rules has none and does not record last use.
    if (JSON.stringify(rulesOf(c)) !== JSON.stringify(collection.rules)) {
      if (!collects(c.config)) collection.since = null;
      stop(c, run, "the configuration was changed meanwhile; the next collection goes by the new rules");
      return 0;
    }
    await requireValidConfig(c, "collected");
    if (c.now() < run.started) {
      // A path used now would be recorded as older than the cursor.
      stop(c, run, "the clock was set back meanwhile; the next collection begins anew");
      return 0;
    }
    const reindex = REINDEX_RECORD.load(c);
    // Without its row the unreadable objects of the last reindex are unknown.
    if (!isIndexed(c) || reindex === undefined) {
      ensureReindex(c);
      return BLOCKED;
    }
    const blocker = blockerOf(c, reindex.state.unreadableNarinfo);
    if (blocker !== undefined) {
      stop(c, run, blocker);
      return 0;
    }
    const { context, spent } = metered(c);
    try {
      return Math.max(await work(context, run), spent().rows_read / ROWS_OF_AN_OPERATION);
    } finally {
      saveSpent(c, run, addSpent(collection.spent, spent()));
    }
  };
}

/**
 * The reason why collecting is unsafe: an unreadable pin or narinfo that may keep paths alive. Includes the remedy.
 */
function blockerOf(c: CatalogContext, unreadableNarinfo: string | undefined): string | undefined {
  const pin = unreadablePin(c);
  if (pin !== undefined) {
    return `pins/${pin} in the bucket cannot be read, so it is unknown which paths it keeps: PUT that pin again, or delete the object and POST /api/v1/reindex`;
  }
  if (unreadableNarinfo === undefined) return undefined;
  return `${unreadableNarinfo}.narinfo in the bucket cannot be read here and may be valid, so it is unknown which paths it needs: push that path again, or delete the object, then POST /api/v1/reindex`;
}

/** Also counts a step that failed, whose other changes of `run` are not saved. */
function saveSpent(c: CatalogContext, run: GcRun, spent: Collection["spent"]): void {
  run.state.spent = spent;
  const saved = GC_RECORD.load(c);
  if (saved === undefined) return;
  saved.state.spent = spent;
  saveRun(c, saved);
}
