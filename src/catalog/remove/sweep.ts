// Sweeps NARs: deletes those without a path once their grace period is over.
import type { CatalogContext } from "../context.ts";
import { DELETE_BATCH } from "../objects.ts";
import { executeDeletions, resolveExpired } from "../publish/resolve.ts";
import { companionsOfNar } from "../rows/companions.ts";
import { intentNars, recordIntent } from "../rows/intents.ts";
import { deleteNarRow, nextGraceStart, sweepableNars } from "../rows/nars.ts";

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
  const needed = intentNars(c);
  const cutoff = c.now() - graceMs;
  const due = sweepableNars(c, cutoff, needed, DELETE_BATCH).filter((key) => !c.locks.isHeld(key));
  // All locks are free, so it begins synchronously.
  if (due.length > 0) await c.locks.runAll(due, () => deleteNars(c, due));
  if (due.length === DELETE_BATCH) return { deletedNars: due.length, next: c.now() };
  const next = nextGraceStart(c, cutoff);
  if (next === undefined) return { deletedNars: due.length };
  // NARs that are due and were not deleted are needed by an operation in flight.
  const earliest = due.length > 0 ? c.now() : c.now() + BUSY_MS;
  return { deletedNars: due.length, next: Math.max(next + graceMs, earliest) };
}

export async function deleteNars(c: CatalogContext, keys: readonly string[]): Promise<void> {
  c.transaction(() => {
    for (const key of keys) beginNarDeletion(c, key);
  });
  await executeDeletions(c, keys);
}

/** Milliseconds after which a sweep retries NARs that an operation in flight needed. */
const BUSY_MS = 60_000;

/** Records the intent to delete a NAR, which is final, and removes its row. Call it in a transaction. */
export function beginNarDeletion(c: CatalogContext, key: string): void {
  deleteNarRow(c, key);
  recordIntent(c, { kind: "delete-nar", key, objects: companionsOfNar(c, key) });
}
