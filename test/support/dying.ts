/** Catalogs that die at any operation of the bucket, or whose bucket is down. */
import { RUNS } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { Locks } from "../../src/catalog/locks.ts";
import type { RunDefinition } from "../../src/catalog/runs/definition.ts";
import { continueRuns, requestRun } from "../../src/catalog/runs/engine.ts";
import { failing, inSmallPages, watch } from "./bucket.ts";

/** The same catalog in an outage of its bucket. */
export function withoutBucket(c: CatalogContext): CatalogContext {
  const { bucket } = watch(
    c.bucket,
    failing(() => true),
  );
  return { ...c, bucket };
}

/** Thrown by every later operation, so that a crashed process does nothing more. */
const DEAD = new Error("Network connection lost.");

/**
 * Does `work` with a catalog that dies at its first bucket operation, then again with one that dies at the second,
 * and so on, each over what the one before has left, until one lives to the end. How many died.
 */
export async function dyingAtEveryOperation(
  c: CatalogContext,
  work: (c: CatalogContext) => Promise<unknown>,
  when: "before" | "after",
): Promise<number> {
  for (let last = 0; ; last++) {
    let isDead = false;
    const die = () => {
      isDead = true;
      throw DEAD;
    };
    const { bucket } = watch(c.bucket, {
      before: ({ number }) => {
        if (isDead || (when === "before" && number === last)) die();
      },
      after: ({ number }) => {
        if (isDead || (when === "after" && number === last)) die();
      },
    });
    // A new process, without locks. The old one fails at its next write.
    const alive: CatalogContext = {
      ...c,
      bucket,
      locks: new Locks(),
      deletions: { count: 0 },
      publications: new Map(),
      unsentIntents: new Set(),
      unfinished: new Map(),
      // A minute has passed: the bucket requests of the crashed process have happened or never will.
      now: () => c.now() + last * 60_000,
      wait: async () => undefined,
      transaction: (run) => (isDead ? die() : c.transaction(run)),
    };
    try {
      await work(alive);
      if (!isDead) return last;
    } catch (error) {
      if (!isDead) throw error;
    }
  }
}

/** Alarms in which a run of a test comes to its end. */
const ENOUGH_ALARMS = 20;

/** Begins a run, which a catalog that dies at every operation does in many small steps. How many died. */
export async function runDyingAtEveryOperation<O>(
  c: CatalogContext,
  kind: RunDefinition<O>,
  options: O,
  when: "before" | "after",
): Promise<number> {
  await requestRun(withoutBucket(c), kind, options);
  const alarms = async (alive: CatalogContext) => {
    for (let n = 0; n < ENOUGH_ALARMS; n++) await continueRuns(alive, RUNS);
  };
  return dyingAtEveryOperation({ ...c, bucket: inSmallPages(c.bucket, 2) }, alarms, when);
}
