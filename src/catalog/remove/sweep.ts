// Sweeps NARs: deletes those without a path once their grace period is over.
import type { CatalogContext } from "../context.ts";
import { DELETE_BATCH } from "../objects.ts";
import { executeDeletions, resolveExpired } from "../publish/resolve.ts";
import { companionsOfNar } from "../rows/companions.ts";
import { recordIntent } from "../rows/intents.ts";
import { deleteNarRow } from "../rows/nars.ts";
import { settlePublications } from "../rows/publications.ts";
import { nextGraceStart, sweepableNars } from "../rows/released.ts";
import { restartGrace } from "../rows/urgent-nars.ts";
import { beginDeletions, requireFewDeletions } from "./begin.ts";

export interface Swept {
  readonly deletedNars: number;
  /** When the next grace period ends, in milliseconds since the epoch; absent if no NAR is released. */
  readonly next?: number;
}

/**
 * Deletes NARs that lost their last path more than the grace period (milliseconds) ago and that no pusher has used
 * since, with their companions.
 */
export async function sweepNars(c: CatalogContext, graceMs: number = c.config.graceMs): Promise<Swept> {
  await resolveExpired(c);
  settlePublications(c);
  requireFewDeletions(c);
  const cutoff = c.now() - graceMs;
  const due = sweepableNars(c, cutoff, DELETE_BATCH).filter((key) => !c.locks.isHeld(key));
  // All locks are free, so it begins synchronously.
  const deletedNars = due.length === 0 ? 0 : await c.locks.runAll(due, () => deleteNars(c, due));
  if (deletedNars > 0 && due.length === DELETE_BATCH) return { deletedNars, next: c.now() };
  const next = nextGraceStart(c, cutoff);
  if (next === undefined) return { deletedNars };
  // NARs that are due and were not deleted are needed by an operation in flight, unless one alarm did not get to them.
  const earliest = deletedNars > 0 ? c.now() : c.now() + BUSY_MS;
  return { deletedNars, next: Math.max(next + graceMs, earliest) };
}

/** As many as one step gets to. One that cannot be deleted is passed by for another grace period. Returns how many. */
async function deleteNars(c: CatalogContext, due: readonly string[]): Promise<number> {
  const { keys } = c.transaction(() => {
    const begun = beginDeletions(c, "gc", due, (key) => beginNarDeletion(c, key));
    restartGrace(c, begun.skipped);
    return begun;
  });
  await executeDeletions(c, keys);
  return keys.length;
}

/** Milliseconds after which a sweep retries NARs that an operation in flight needed. */
const BUSY_MS = 60_000;

/**
 * Records the intent to delete a NAR, which is final, and removes its row. Returns the number of objects. Call it in a
 * transaction.
 */
export function beginNarDeletion(c: CatalogContext, key: string): number {
  const objects = companionsOfNar(c, key);
  deleteNarRow(c, key);
  recordIntent(c, { kind: "delete-nar", key, objects });
  return 1 + objects.length;
}
