// Keeps the figures behind the statistics: saves them after changes, and counts everything again, in steps, where they
// are not known exactly: in a catalog of an earlier version, and after a crash that lost changes.
import { LARGEST } from "../../contract/stats.ts";
import type { CatalogContext } from "../context.ts";
import { addNar, addPath } from "../figures.ts";
import { keptFigures, markFigures, nextNarFigures, nextPathFigures, saveFigures } from "../rows/figures.ts";
import { emptyRecount, type Kept, type Recount } from "../tally.ts";

/** Milliseconds from the first change to the saving; while a push goes on, they are saved later. */
export const SAVE_DELAY_MS = 5000;
/** Milliseconds after which they are saved although a push goes on. */
export const MAX_UNSAVED_MS = 60_000;
/** Rows of one step of a recount. It takes some 10 ms, for which a push beside it waits. */
export const STEP_ROWS = 2500;
/** Milliseconds between two steps while a push goes on. */
const BUSY_MS = 500;
/** Milliseconds between two recounts only because so many of the largest paths were deleted. */
const REFILL_MS = 3600_000;

/** The work of an alarm. Resolves with the time of the next turn in milliseconds since the epoch, if there is one. */
export async function keepFigures(c: CatalogContext): Promise<number | undefined> {
  if (c.migration.isMoving) return undefined;
  const kept = keptFigures(c);
  if (kept.isExact && lacksLargest(c, kept)) {
    // Until the recount has ended, a crash must not leave the saved figures as exact ones.
    markFigures(c);
    kept.isExact = false;
  }
  if (!kept.isExact) return continueRecount(c, kept);
  if (kept.markedAt === undefined) return undefined;
  const unsaved = c.now() - kept.markedAt;
  if (c.isBusy() && unsaved >= 0 && unsaved < MAX_UNSAVED_MS) return c.now() + SAVE_DELAY_MS;
  saveFigures(c);
  return undefined;
}

function lacksLargest(c: CatalogContext, { figures, countedAt }: Kept): boolean {
  if (figures === undefined || figures.floor === null || figures.largest.length >= LARGEST) return false;
  return c.now() >= countedAt + REFILL_MS;
}

function continueRecount(c: CatalogContext, kept: Kept): number | undefined {
  kept.recount ??= emptyRecount();
  if (!step(c, kept.recount)) return c.isBusy() ? c.now() + BUSY_MS : c.now();
  kept.figures = kept.recount.figures;
  kept.recount = undefined;
  kept.isExact = true;
  saveFigures(c);
  return undefined;
}

/** True where all is counted. */
function step(c: CatalogContext, recount: Recount): boolean {
  const { phase, cursor, figures } = recount;
  if (phase === "paths") {
    const paths = nextPathFigures(c, cursor, STEP_ROWS);
    for (const path of paths) addPath(figures, path);
    recount.cursor = paths.at(-1)?.hash ?? cursor;
    if (paths.length < STEP_ROWS) {
      recount.phase = "nars";
      recount.cursor = "";
    }
    return false;
  }
  const nars = nextNarFigures(c, cursor, STEP_ROWS);
  for (const nar of nars) if (nar.is_stored === 1) addNar(figures, nar);
  recount.cursor = nars.at(-1)?.key ?? cursor;
  return nars.length < STEP_ROWS;
}
