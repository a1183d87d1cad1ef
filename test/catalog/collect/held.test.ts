/**
 * Reasons to stop a collection: a mistake in the configuration, too much at once, a bucket that is not indexed yet.
 */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import { touchPaths } from "../../../src/catalog/publish/last-use.ts";
import { REINDEX_RECORD } from "../../../src/catalog/reindex/state.ts";
import { requestRun } from "../../../src/catalog/runs/engine.ts";
import { recorded } from "../../support/catalog.ts";
import { closure, hashOf, publishClosure } from "../../support/closure.ts";
import {
  beginRetention,
  collect,
  collectAfter,
  configWith,
  cronUntil,
  daysLater,
  FORCE,
  MONTH,
  narinfos,
  published,
} from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { HOUR_MS, inCatalog, storePath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a collection that would remove more than half", () => {
  it("stops and asks whether CI is still pushing", async () => {
    await publishClosure();
    await beginRetention(MONTH);
    const { stopped, removed } = await collectAfter(40, MONTH);
    expect(removed.paths).toBe(0);
    expect(stopped).toMatch(
      /^3 of 3 paths, \d+ of \d+ bytes would go, more than half of the cache; nothing is pinned, and nothing has been pushed for 40 days: is CI still pushing\? .*"force": true/,
    );
    expect(await narinfos()).toHaveLength(3);
    expect(await collectAfter(40, MONTH, FORCE)).toMatchObject({ removed: { paths: 3 } });
  });

  it("names the rule where all was pushed within a day", async () => {
    const hour = { retention_days: 1 / 24 };
    const config = configWith(hour, { GC_GRACE_SECONDS: "60" });
    await publishClosure();
    await beginRetention(hour);
    const after = async (days: number) => {
      await cronUntil(days - 1);
      return (await inCatalog((c) => collect(c), { ...daysLater(days, hour), config })).stopped;
    };
    expect(await after(0.9)).toMatch(/half of the cache; most paths are older than retention_days = 0.04/);
    expect(await after(1.5)).toMatch(/nothing has been pushed for a day: is CI still/);
  });

  it("names the rule where something has been pushed", async () => {
    const [one] = await published("a", "b", "c", "d");
    await beginRetention(MONTH);
    await inCatalog((c) => touchPaths(c, [hashOf(one as TestPath)]), daysLater(39, MONTH));
    expect((await collectAfter(40, MONTH)).stopped).toMatch(/older than retention_days = 30: is it right/);
    const size = { max_size_gb: 1e-9 };
    expect((await collectAfter(40, size)).stopped).toMatch(/max_size_gb = 1e-9 is less than half/);
  });
});

describe("a mistake in the configuration", () => {
  it("keeps everything, and is named", async () => {
    await publishClosure();
    const config = configWith({ retention_days: 30 }, { PRIORITY: "high" });
    const refused = await recorded((c) => requestRun(c, COLLECT, FORCE), {}, { config });
    expect(refused.result).toMatchObject({
      status: 403,
      message: expect.stringMatching(/^nothing is collected .* PRIORITY/),
    });
  });

  it("that appears while a collection is under way stops it until it is fixed", async () => {
    const { all } = await publishClosure();
    await beginRetention(MONTH);
    await cronUntil(39);
    const later = daysLater(40, MONTH);
    await inCatalog(async (c) => {
      const bad = { ...c, config: configWith({ retention_days: 30 }, { PRIORITY: "high" }) };
      let asked = 0;
      // The mistake is deployed after the first look.
      const turning = new Proxy(c.config, {
        get: (config, property) => Reflect.get(asked++ < 3 ? config : bad.config, property),
      });
      await requestRun({ ...c, config: turning }, COLLECT, FORCE);
      expect(COLLECT.status(c)).toMatchObject({ done: false, problem: expect.stringMatching(/PRIORITY/) });
      expect(await narinfos()).toEqual(all.map(({ key }) => key).sort());
      expect(await collect(c)).toMatchObject({ removed: { paths: 3 } });
    }, later);
  });
});

it("in one invocation goes no further after a reindex that took long", async () => {
  for (let number = 0; number < 60; number++) await storePath(await testPath(`path-${number}`));
  const { operations } = await recorded((c) => requestRun(c, COLLECT, {}), {}, daysLater(0, MONTH));
  expect(operations.length).toBeGreaterThan(60);
  await inCatalog((c) => expect(REINDEX_RECORD.load(c)?.finished).toBeUndefined());
});

it("without a reindex builds the catalog first", async () => {
  const { all } = await closure();
  for (const path of all) {
    await env.BUCKET.put(path.narKey, path.nar);
    await env.BUCKET.put(path.key, path.text);
  }
  expect(await collectAfter(0, MONTH)).toMatchObject({ done: true });
  expect(await inCatalog(({ sql }) => sql.exec("SELECT count(*) AS n FROM paths").one())).toEqual({ n: 3 });
  // Uses before it was built are not recorded: retention counts from the next collection.
  expect(await collectAfter(1, MONTH, FORCE)).toMatchObject({ removed: { paths: 0 } });
  expect(await collectAfter(31, MONTH, FORCE)).toMatchObject({ removed: { paths: 0 } });
  expect(await collectAfter(32, MONTH, FORCE)).toMatchObject({ removed: { paths: 3 } });
  expect(HOUR_MS).toBe(3600_000);
});
