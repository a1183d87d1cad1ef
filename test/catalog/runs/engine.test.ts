// Runs side by side: one that waits for its next try keeps no other from going on.
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { continueRuns, nextStepTime, requestRun } from "../../../src/catalog/runs/engine.ts";
import { loadRun, saveRun, startRun } from "../../../src/catalog/runs/runs.ts";
import { failing } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { publishClosure } from "../../support/closure.ts";
import { beginRetention, cronUntil, daysLater, MONTH } from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog } from "../../support/runs.ts";

captureLog();
afterEach(() => reset());

it("a collection that waits for its next try lets a check go on, and is tried again in time", async () => {
  await publishClosure();
  await beginRetention(MONTH);
  await cronUntil(39);
  const later = daysLater(40, MONTH);
  const start = later.now?.() ?? 0;
  const at = (ms: number) => ({ ...later, now: () => start + ms });
  const outage = failing(({ name }) => name === "delete");
  await recorded((c) => requestRun(c, "gc", { force: true }), outage, at(0));
  await inCatalog((c) => {
    expect(loadRun(c, "gc")).toMatchObject({ finished: undefined, failures: 1 });
    expect(nextStepTime(c)).toBe(start + 60_000);
    expect(nextStepTime({ ...c, now: () => start + 45_000 })).toBe(start + 60_000);
    startRun(c, "check", false);
    expect(nextStepTime(c)).toBe(start);
  }, at(0));
  await inCatalog((c) => continueRuns(c), at(1000));
  await inCatalog((c) => {
    expect(loadRun(c, "check")?.finished).toBeDefined();
    expect(loadRun(c, "gc")?.finished).toBeUndefined();
    expect(nextStepTime(c)).toBe(start + 60_000);
  }, at(1000));
  await inCatalog((c) => continueRuns(c), at(61_000));
  expect((await inCatalog((c) => loadRun(c, "gc")))?.finished).toBeDefined();
});

it("after the clock was set back far nothing waits for a time that is long to come", async () => {
  await publishClosure();
  await inCatalog((c) => {
    const run = startRun(c, "check", false);
    saveRun(c, { ...run, failures: 1, retryAt: c.now() + 10 * 24 * 3600_000 });
    expect(nextStepTime(c)).toBeLessThanOrEqual(c.now());
  });
});

it("what needs the whole bucket waits for a first reindex that waits for its next try", async () => {
  const now = Date.now();
  await inCatalog(
    async (c) => {
      const run = startRun(c, "reindex", false);
      saveRun(c, { ...run, failures: 1, retryAt: now + 60_000 });
      startRun(c, "check", false);
      expect(nextStepTime(c)).toBe(now + 60_000);
      await continueRuns(c);
      expect(loadRun(c, "reindex")?.finished).toBeDefined();
      expect(loadRun(c, "check")).toMatchObject({ steps: 0 });
      expect(nextStepTime(c)).toBe(now);
    },
    { now: () => now },
  );
});
