// The first phase of a large deletion: finds all that refers to the path, directly or not, in steps of bounded rows.
// Nothing is deleted before all is found and none of it is pinned.
import type { CatalogContext } from "../context.ts";
import { addReferrers, doom, forgetDoomed, freshDoomed } from "../rows/doomed.ts";
import { pinnedOf, pinsNaming } from "../rows/pins.ts";
import { referrersOf } from "../rows/references.ts";
import { endRun, moveTo, saveRun } from "../runs/run.ts";
import type { DeletionRun } from "./state.ts";

/** Paths of one step, references to them, and references in one query. */
const PATHS = 500;
const REFERENCES = 2000;
const PAGE = 500;
/** Rows of the deletion before that one step forgets. */
const FORGOTTEN = 5000;
/** Pins that a report names. */
const MAX_NAMED = 5;
/** A step takes about as long as this many bucket operations. */
export const STEP_COST = 10;

export async function find(c: CatalogContext, run: DeletionRun): Promise<number> {
  const { state } = run;
  c.transaction(() => {
    run.failures = 0;
    if (state.isClear) {
      readReferrers(c, run);
    } else {
      state.isClear = forgetDoomed(c, FORGOTTEN);
      if (state.isClear) state.found = doom(c, [state.hash]);
    }
    saveRun(c, run);
  });
  return STEP_COST;
}

function readReferrers(c: CatalogContext, run: DeletionRun): void {
  let references = 0;
  for (let paths = 0; paths < PATHS && references < REFERENCES && run.finished === undefined; paths++) {
    const hash = run.state.reading?.hash ?? freshDoomed(c);
    if (hash === undefined) {
      moveTo(c, run, undefined);
      return;
    }
    references += readPage(c, run, hash);
  }
}

/** Reads some referrers of a path. Returns how many. */
function readPage(c: CatalogContext, run: DeletionRun, hash: string): number {
  const { state } = run;
  const page = referrersOf(c, hash, PAGE, state.reading?.after);
  const [pinned] = pinnedOf(c, [hash, ...page]);
  if (pinned !== undefined) {
    stopForPin(c, run, pinned);
    return page.length;
  }
  if (page.length > 0) state.found += doom(c, page);
  const isAll = page.length < PAGE;
  addReferrers(c, hash, page.length, isAll);
  state.reading = isAll ? null : { hash, after: page.at(-1) ?? "" };
  return page.length;
}

/** Ends the deletion: what is left stays, with all its references. Saves nothing. */
export function stopForPin(c: CatalogContext, run: DeletionRun, pinned: string): void {
  const pins = pinsNaming(c, [pinned], MAX_NAMED).join(", ");
  run.state.stopped = `${pinned} refers to it and is kept by the pins ${pins}; DELETE /api/v1/pins/NAME first`;
  endRun(c, run);
}
