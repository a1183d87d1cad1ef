// Keeps the figures behind the statistics: saves them after changes, and counts everything again, in steps, where they
// are not known exactly: in a catalog of an earlier version, and after a crash that lost changes.
import { LARGEST } from "../../contract/stats.ts";
import type { CatalogContext } from "../context.ts";
import { addNar, addPath } from "../figures.ts";
import { keptFigures, markFigures, nextNarFigures, nextPathFigures, saveFigures } from "../rows/figures.ts";
import { emptyRecount, type Kept, type Recount } from "../tally.ts";

/** Milliseconds from the first change to the saving; while a push goes on, they are saved later. */
export const SAVE_DELAY_MS = 1000;
/** Milliseconds after which they are saved although a push goes on. */
export const MAX_UNSAVED_MS = 60_000;
/** Rows of one step of a recount. It takes some 10 ms, for which a push beside it waits. */
export const STEP_ROWS = 2500;
/** Rows of a step that a request does, so that the figures of a small cache are exact at once. */
export const REQUEST_ROWS = 500;
/** Milliseconds between two steps while a push goes on. */
const BUSY_MS = 500;
/** Milliseconds between two recounts only because so many of the largest paths were deleted. */
const REFILL_MS = 3600_000;

/** Saves what has changed. True where that has to be tried again, because a push goes on. */
export function saveChanges(c: CatalogContext): boolean {
  const { isExact, markedAt } = keptFigures(c);
  if (!isExact || markedAt === undefined) return false;
  const unsaved = c.now() - markedAt;
  if (c.isBusy() && unsaved >= 0 && unsaved < MAX_UNSAVED_MS) return true;
  saveFigures(c);
  return false;
}

/**
 * The work of an alarm: a step of a recount, or saving what has changed. Resolves with the time of the next step in
 * milliseconds since the epoch, if there is one.
 */
export async function keepFigures(c: CatalogContext): Promise<number | undefined> {
  if (c.migration.isMoving) return undefined;
  const kept = keptFigures(c);
  if (kept.isExact && lacksLargest(c, kept)) {
    // Until the recount has ended, a crash must not leave the saved figures as exact ones.
    markFigures(c);
    kept.isExact = false;
  }
  if (kept.isExact) {
    if (saveChanges(c)) c.saveFiguresLater();
    return undefined;
  }
  if (step(c, kept, STEP_ROWS)) return undefined;
  return c.isBusy() ? c.now() + BUSY_MS : c.now();
}

/** Continues a recount by as much as one request may. False where it has not ended: alarms have to go on with it. */
export function countInRequest(c: CatalogContext): boolean {
  const kept = keptFigures(c);
  return kept.isExact || step(c, kept, REQUEST_ROWS) || step(c, kept, REQUEST_ROWS);
}

function lacksLargest(c: CatalogContext, { figures, countedAt }: Kept): boolean {
  if (figures === undefined || figures.floor === null || figures.largest.length >= LARGEST) return false;
  return c.now() >= countedAt + REFILL_MS;
}

/** Reads at most `rows` rows. True where all is counted. */
function step(c: CatalogContext, kept: Kept, rows: number): boolean {
  kept.recount ??= emptyRecount();
  const { phase, figures } = kept.recount;
  if (phase === "paths") {
    if (!countPaths(c, kept.recount, rows)) return false;
    kept.recount.phase = "nars";
    kept.recount.cursor = "";
    return false;
  }
  if (!countNars(c, kept.recount, rows)) return false;
  kept.figures = figures;
  kept.recount = undefined;
  kept.isExact = true;
  saveFigures(c);
  return true;
}

function countPaths(c: CatalogContext, recount: Recount, rows: number): boolean {
  const paths = nextPathFigures(c, recount.cursor, rows);
  for (const path of paths) addPath(recount.figures, path);
  recount.cursor = paths.at(-1)?.hash ?? recount.cursor;
  return paths.length < rows;
}

function countNars(c: CatalogContext, recount: Recount, rows: number): boolean {
  const nars = nextNarFigures(c, recount.cursor, rows);
  for (const nar of nars) if (nar.is_stored === 1) addNar(recount.figures, nar);
  recount.cursor = nars.at(-1)?.key ?? recount.cursor;
  return nars.length < rows;
}
