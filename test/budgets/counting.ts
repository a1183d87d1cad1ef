/** Counts what a request costs. Alarms do not go off by themselves: each is counted, and goes off when a test says so. */
import { runInDurableObject } from "cloudflare:test";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { watch } from "../support/bucket.ts";
import type { TestCache } from "../support/cache.ts";
import { catalog } from "../support/runs.ts";
import type { Cost } from "./budgets.ts";

/** Work that is to be done later than this is another day's: milliseconds. */
const SOON_MS = 3600_000;

export function counting(realBucket: R2Bucket) {
  const { bucket, billed } = watch(realBucket);
  let due: number | null = null;
  let settings = 0;
  let mine: Catalog | undefined;

  const takeAlarms = () =>
    runInDurableObject(catalog(), (instance: Catalog, { storage }) => {
      if (instance === mine) return;
      mine = instance;
      Object.assign(storage, {
        getAlarm: async () => due,
        setAlarm: async (time: number) => {
          due = time;
          settings++;
        },
      });
    });

  async function counted<T>(on: TestCache, run: () => Promise<T>): Promise<{ answer: T; cost: Cost }> {
    await takeAlarms();
    const { catalog } = on;
    const before = { ...billed(), spent: catalog.spent, calls: catalog.calls.length, settings };
    const answer = await run();
    const { A, B } = billed();
    const cost = {
      rowsRead: catalog.spent.rows_read - before.spent.rows_read,
      rowsWritten: catalog.spent.rows_written - before.spent.rows_written + settings - before.settings,
      classA: A - before.A,
      classB: B - before.B,
      calls: catalog.calls.slice(before.calls).filter((name) => name !== "alarm").length,
    };
    return { answer, cost };
  }

  return {
    bucket,
    counted,
    /** Milliseconds since the epoch; `null` where no alarm is set. */
    due: () => due,
    isAlarmDue: async () => {
      await takeAlarms();
      return due !== null && due < Date.now() + SOON_MS;
    },
    alarm: (on: TestCache) =>
      counted(on, async () => {
        due = null;
        const stub = on.environment.CATALOG.getByName("nix-cache");
        await (stub as unknown as Pick<Catalog, "alarm">).alarm();
      }),
  };
}
