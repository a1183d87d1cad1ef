// The phase of a deep check: every NAR that a path has is read again.
import type { CatalogContext } from "../context.ts";
import { purgingOnce } from "../purging-once.ts";
import { attemptsOf } from "../rows/nar-queue.ts";
import { nextReferredNar } from "../rows/nars.ts";
import { moveTo, saveRun } from "../runs/run.ts";
import { MAX_OPERATIONS } from "../scan/items.ts";
import { type Budget, checkContentOfNar } from "./content-of-nar.ts";
import { type CheckRun, SEPARATOR } from "./state.ts";

/**
 * NARs of one step, and bytes of NARs (as their narinfos claim) after which it begins no further one: the next step has
 * an invocation with CPU time of its own.
 */
export const MAX_NARS = 50;
const MAX_BYTES = 16 * 1024 * 1024;
/**
 * How often the reading of a NAR is begun. After two that did not end, nothing but the reading itself is done, which
 * then says that the NAR is unverifiable; after four the NAR is passed by, because the bucket fails to give it.
 */
const MAX_WHOLE_TRIES = 2;
const MAX_TRIES = 4;

/** A checkpoint is a NAR's key, followed by the hash part of the last path where the step ended between its paths. */
export function checkContents(c: CatalogContext, run: CheckRun): Promise<number> {
  return purgingOnce(c, (collecting) => checkEach(collecting, run));
}

async function checkEach(c: CatalogContext, run: CheckRun): Promise<number> {
  const budget: Budget = { operations: MAX_OPERATIONS, bytes: MAX_BYTES };
  for (let count = 0; count < MAX_NARS && budget.bytes > 0 && budget.operations > 0; count++) {
    const [done = "", hash] = run.checkpoint.split(SEPARATOR);
    const key = hash === undefined ? nextReferredNar(c, done) : done;
    if (key === undefined) {
      moveTo(c, run, undefined);
      break;
    }
    const tries = run.state.reading?.key === key ? run.state.reading.tries : 0;
    // A NAR whose reading did not end before gets a step of its own.
    if (count > 0 && tries + attemptsOf(c, key) > 0) break;
    run.state.reading = { key, tries: tries + 1 };
    // Before the reading: if the platform kills it, the next step knows.
    saveRun(c, run);
    const { counts } = run.state;
    if (tries < MAX_TRIES) {
      const part = { key, after: hash ?? "", isHashed: tries < MAX_WHOLE_TRIES };
      const { stoppedAt, isUnverifiable } = await checkContentOfNar(c, run, part, budget);
      if (isUnverifiable && stoppedAt === undefined) counts.unverifiable++;
      if (stoppedAt !== undefined) {
        moveTo(c, run, `${key}${SEPARATOR}${stoppedAt}`);
        delete run.state.reading;
        break;
      }
    } else counts.unverifiable++;
    counts.read++;
    delete run.state.reading;
    moveTo(c, run, key);
  }
  saveRun(c, run);
  // No further step in this invocation, whose CPU time is limited.
  return MAX_OPERATIONS;
}
