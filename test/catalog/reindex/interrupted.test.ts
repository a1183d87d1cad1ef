/** Reindexing that a death or an outage interrupts: it goes on, by itself or when asked. */
import { evictDurableObject, reset, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { Catalog } from "../../../src/catalog/catalog.ts";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { REINDEX } from "../../../src/catalog/reindex/reindex.ts";
import { continueRuns, RETRY_MS, requestRun } from "../../../src/catalog/runs/engine.ts";
import { failing, watch } from "../../support/bucket.ts";
import { closure } from "../../support/closure.ts";
import { runDyingAtEveryOperation, withoutBucket } from "../../support/dying.ts";
import { captureLog } from "../../support/log.ts";
import {
  catalog,
  inCatalog,
  later,
  NAR_GRACE_MS,
  publishPath,
  rows,
  storePath,
  value,
} from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a reindex that is interrupted", () => {
  it.each(["before", "after"] as const)("%s any operation gives the same result", async (when) => {
    const { library, app, packed } = await closure();
    const gone = await testPath("gone-1.0");
    await publishPath(gone);
    await env.BUCKET.delete([gone.key, gone.narKey]);
    for (const path of [library, app, packed]) await storePath(path);
    await env.BUCKET.put((await testPath("broken-1.0")).key, "broken");
    const { deaths, report } = await inCatalog(async (c) => {
      const deaths = await runDyingAtEveryOperation(c, REINDEX, {}, when);
      return { deaths, report: REINDEX.status(c) };
    }, later(NAR_GRACE_MS));
    expect(deaths).toBeGreaterThan(3);
    expect(report).toMatchObject({ done: true, narinfos: 4, nars: 3, indexed: 3, removed: 2 });
    expect(report?.unreadable.count).toBe(1);
    const { paths, nars } = await inCatalog(rows);
    expect(paths.map((row) => row.name).sort()).toEqual(["app-1.0", "library-1.0", "packed-1.0"]);
    expect(nars).toHaveLength(3);
  });

  it("by an outage says so, is tried again, and later less and less often", async () => {
    const path = await testPath();
    await storePath(path);
    const now = Date.now();
    const outage = await inCatalog(async (c) => {
      const broken = { ...withoutBucket(c), now: () => now };
      await requestRun(broken, REINDEX, {});
      const delays = [];
      for (let n = 0; n < 8; n++) delays.push(((await continueRuns(broken, RUNS)) ?? 0) - now);
      return { report: REINDEX.status(c), delays };
    });
    expect(outage.report).toMatchObject({
      done: false,
      problem: "the bucket did not answer (list); nothing was changed, try again",
    });
    expect(outage.delays.map((delay) => delay / RETRY_MS)).toEqual([2, 4, 8, 16, 32, 60, 60, 60]);
    const { report, next } = await inCatalog(async (c) => ({
      next: await continueRuns(c, RUNS),
      report: REINDEX.status(c),
    }));
    expect(report).toMatchObject({ done: true, indexed: 1 });
    expect(report).not.toHaveProperty("problem");
    expect(next).toBeUndefined();
  });

  it("goes on by itself: the alarm is set before the first step", async () => {
    await storePath(await testPath());
    await value(catalog().reindex({}));
    await inCatalog(({ sql }) =>
      sql.exec(
        `UPDATE runs SET finished = NULL, state = json_set(state, '$.phase', 'narinfos', '$.checkpoint', '')`,
      ),
    );
    await evictDurableObject(catalog());
    expect(await runDurableObjectAlarm(catalog())).toBe(true);
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true });
  });

  it("by an outage is told of, and the alarm tries again a minute later; the sweep goes on meanwhile", async () => {
    // The first one would keep the sweep waiting.
    await value(catalog().reindex({}));
    await storePath(await testPath());
    const { key, nar } = { key: "nar/released.nar", nar: "of nobody" };
    await env.BUCKET.put(key, nar);
    await inCatalog(({ sql }) =>
      sql.exec(
        `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
         VALUES (?, 9, NULL, 1, 0, 0, 1)`,
        key,
      ),
    );
    const outage = failing(({ name }) => name === "list");
    const inOutage = <T>(run: () => Promise<T>) =>
      runInDurableObject(catalog(), async (instance, { storage }) => {
        const { context } = instance;
        Object.assign(instance, { context: { ...context, bucket: watch(context.bucket, outage).bucket } });
        const answer = await run.call(instance);
        Object.assign(instance, { context });
        return { answer, alarm: ((await storage.getAlarm()) ?? 0) - Date.now() };
      });
    const asked = await inOutage(function (this: Catalog) {
      return value(this.reindex({}));
    });
    expect(asked.answer).toMatchObject({ done: false, problem: expect.stringContaining("(list)") });
    expect(asked.alarm).toBeGreaterThan(RETRY_MS - 10_000);
    expect(asked.alarm).toBeLessThanOrEqual(RETRY_MS);
    const alarm = await inOutage(function (this: Catalog) {
      return this.alarm();
    });
    expect(await env.BUCKET.head(key)).toBeNull();
    expect(alarm.alarm).toBeLessThanOrEqual(RETRY_MS);
    expect(await runDurableObjectAlarm(catalog())).toBe(true);
    expect(await value(catalog().reindexStatus())).toMatchObject({ done: true, indexed: 1 });
  });

  it("goes on with the next POST, or begins again where that says so", async () => {
    await inCatalog(async (c) => {
      const now = c.now() - 10_000;
      const broken = { ...withoutBucket(c), now: () => now };
      await requestRun(broken, REINDEX, {});
      await requestRun({ ...broken, now: () => now + 1000 }, REINDEX, {});
      expect(REINDEX.status(c)).toMatchObject({ started: new Date(now).toISOString(), done: false });
      await requestRun({ ...broken, now: () => now + 2000 }, REINDEX, { restart: true });
      expect(REINDEX.status(c)).toMatchObject({ started: new Date(now + 2000).toISOString(), done: false });
    });
    const first = await value(catalog().reindex({}));
    expect(first.done).toBe(true);
    expect((await value(catalog().reindex({}))).started > first.started).toBe(true);
  });

  it("has told of none before the first", async () => {
    expect(await value(catalog().reindexStatus())).toBeUndefined();
  });
});
