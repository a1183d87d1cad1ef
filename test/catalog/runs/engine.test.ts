// Runs side by side: one that waits for its next try keeps no other from going on.
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { CHECK } from "../../../src/catalog/check/check.ts";
import { CHECK_RECORD } from "../../../src/catalog/check/state.ts";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import { GC_RECORD } from "../../../src/catalog/collect/collection.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { REINDEX_RECORD, startReindex } from "../../../src/catalog/reindex/state.ts";
import type { RunDefinition } from "../../../src/catalog/runs/definition.ts";
import { continueRuns, nextStepTime, requestRun } from "../../../src/catalog/runs/engine.ts";
import { saveRun } from "../../../src/catalog/runs/run.ts";
import { failing } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { publishClosure } from "../../support/closure.ts";
import { beginRetention, cronUntil, daysLater, MONTH } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog } from "../../support/runs.ts";

captureLog();

function startCheck(c: CatalogContext) {
  return CHECK_RECORD.start(c, {
    repair: false,
    deep: false,
    counts: { narinfos: 0, nars: 0, read: 0, unverifiable: 0 },
  });
}
afterEach(() => reset());

it("a collection that waits for its next try lets a check go on, and is tried again in time", async () => {
  await publishClosure();
  await beginRetention(MONTH);
  await cronUntil(39);
  const later = daysLater(40, MONTH);
  const start = later.now?.() ?? 0;
  const at = (ms: number) => ({ ...later, now: () => start + ms, isBusy: () => false });
  const outage = failing(({ name }) => name === "delete");
  await recorded((c) => requestRun(c, COLLECT, { force: true }), outage, at(0));
  await inCatalog((c) => {
    expect(GC_RECORD.load(c)).toMatchObject({ finished: undefined, failures: 1 });
    expect(nextStepTime(c, RUNS)).toBe(start + 60_000);
    expect(nextStepTime({ ...c, now: () => start + 45_000 }, RUNS)).toBe(start + 60_000);
    startCheck(c);
    expect(nextStepTime(c, RUNS)).toBe(start);
  }, at(0));
  await inCatalog((c) => continueRuns(c, RUNS), at(1000));
  await inCatalog((c) => {
    expect(CHECK_RECORD.load(c)?.finished).toBeDefined();
    expect(GC_RECORD.load(c)?.finished).toBeUndefined();
    expect(nextStepTime(c, RUNS)).toBe(start + 60_000);
  }, at(1000));
  await inCatalog((c) => continueRuns(c, RUNS), at(61_000));
  expect((await inCatalog((c) => GC_RECORD.load(c)))?.finished).toBeDefined();
});

it("after the clock was set back far nothing waits for a time that is long to come", async () => {
  await publishClosure();
  await inCatalog((c) => {
    const run = startCheck(c);
    saveRun(c, { ...run, failures: 1, retryAt: c.now() + 10 * 24 * 3600_000 });
    expect(nextStepTime(c, RUNS)).toBeLessThanOrEqual(c.now());
  });
});

it("what needs the whole bucket waits for a first reindex that waits for its next try", async () => {
  const now = Date.now();
  await inCatalog(
    async (c) => {
      const run = startReindex(c);
      saveRun(c, { ...run, failures: 1, retryAt: now + 60_000 });
      startCheck(c);
      expect(nextStepTime(c, RUNS)).toBe(now + 60_000);
      await continueRuns(c, RUNS);
      expect(REINDEX_RECORD.load(c)?.finished).toBeDefined();
      expect(CHECK_RECORD.load(c)).toMatchObject({ steps: 0 });
      expect(nextStepTime(c, RUNS)).toBe(now);
    },
    { now: () => now },
  );
});

it.each([
  { isBusy: false, isDone: true, pause: 0 },
  { isBusy: true, isDone: false, pause: 300 },
])("while pushes come, they have half of the time: $isBusy", async ({ isBusy, isDone, pause }) => {
  await publishClosure();
  let time = Date.now();
  const slow: RunDefinition = {
    ...CHECK,
    load: (c) => {
      const job = CHECK.load(c);
      return (
        job && {
          ...job,
          step: (context) => {
            time += 300;
            return job.step(context);
          },
        }
      );
    },
  };
  await inCatalog(
    async (c) => {
      startCheck(c);
      const next = await continueRuns(c, [slow]);
      expect(CHECK_RECORD.load(c)?.finished !== undefined).toBe(isDone);
      expect(next).toBe(isDone ? undefined : time + pause);
    },
    { now: () => time, isBusy: () => isBusy },
  );
});
