// The end of a collection.
import type { CatalogContext } from "../context.ts";
import { endRun, saveRun } from "../runs/run.ts";
import { clearMarks, type GcRun } from "./collection.ts";

/** Marks that the last step deletes. The first steps of the next collection delete the others. */
const MAX_CLEARED = 5_000;

/** Ends a collection early; its report gives the reason. */
export function stop(c: CatalogContext, run: GcRun, reason: string): void {
  run.state.stopped = reason;
  finish(c, run);
}

export function finish(c: CatalogContext, run: GcRun): void {
  endRun(c, run);
  c.transaction(() => {
    clearMarks(c, MAX_CLEARED);
    saveRun(c, run);
  });
}
