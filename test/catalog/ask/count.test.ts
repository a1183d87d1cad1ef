// The figures behind the statistics in the catalog: kept with every change, saved from time to time, counted again in
// steps after a crash.
// @module-tag slow
import { evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import {
  countInRequest,
  keepFigures,
  MAX_UNSAVED_MS,
  REQUEST_ROWS,
  STEP_ROWS,
  saveChanges,
} from "../../../src/catalog/ask/count.ts";
import { statsOf } from "../../../src/catalog/ask/stats.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { keptFigures } from "../../../src/catalog/rows/figures.ts";
import { deletePathRow } from "../../../src/catalog/rows/index-path.ts";
import { Tally } from "../../../src/catalog/tally.ts";
import { hashOf } from "../../support/closure.ts";
import { countedAnew, expectFigures } from "../../support/figures.ts";
import { manyPaths } from "../../support/many-paths.ts";
import { catalog, inCatalog, publishPath, reindex, value } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

afterEach(() => reset());

/** As another process of the catalog would see it: nothing but the tables is left. */
function restarted(c: CatalogContext): CatalogContext {
  const tally = new Tally(c.sql);
  return { ...c, tally, transaction: (run) => tally.transaction(() => c.transaction(run)) };
}

describe("the figures", () => {
  it("follow publications, verifications, deletions and a reindex", async () => {
    const [one, two, three] = [
      await testPath("one"),
      await testPath("two"),
      await testPath("three", "x".repeat(5000)),
    ];
    for (const path of [one, two, three]) await publishPath(path);
    await inCatalog(async (c) => {
      await reindex(c);
      expect(await expectFigures(c)).toBe(true);
      expect(statsOf(c)).toMatchObject({ paths: 3, nars: 3 });
      await deletePath(c, hashOf(two), false);
      expect(await expectFigures(c)).toBe(true);
      expect(statsOf(c)).toMatchObject({ paths: 2 });
    });
    await runDurableObjectAlarm(catalog());
    await inCatalog(async (c) => {
      expect(await expectFigures(c)).toBe(true);
      expect(statsOf(c)).not.toHaveProperty("counting");
    });
  });

  it("forget what a transaction takes back", async () => {
    const path = await testPath();
    await publishPath(path);
    await inCatalog(async (c) => {
      expect(() =>
        c.transaction(() => {
          deletePathRow(c, hashOf(path));
          throw new Error("taken back");
        }),
      ).toThrow("taken back");
      expect(await expectFigures(c)).toBe(true);
      expect(statsOf(c).paths).toBe(1);
    });
  });

  it("are marked by their first change, and saved at the end of a push, or after a minute", async () => {
    const paths = await Promise.all(["a", "b", "c", "d"].map((name) => testPath(name)));
    const mark = () => inCatalog(({ sql }) => sql.exec("SELECT is_exact FROM figures").toArray());
    expect(await mark()).toEqual([]);
    for (const path of paths) await publishPath(path);
    expect(await mark()).toEqual([{ is_exact: 0 }]);
    await inCatalog((c) => {
      expect(saveChanges({ ...c, isBusy: () => true })).toBe(true);
      expect(c.sql.exec("SELECT is_exact FROM figures").toArray()).toEqual([{ is_exact: 0 }]);
      expect(saveChanges({ ...c, isBusy: () => true, now: () => c.now() + MAX_UNSAVED_MS })).toBe(false);
    });
    expect(await mark()).toEqual([{ is_exact: 1 }]);
  });

  it("survive an eviction where they were saved, and are counted again where they were not", async () => {
    await publishPath(await testPath("one"));
    await inCatalog((c) => keepFigures({ ...c, isBusy: () => false }));
    await evictDurableObject(catalog());
    await inCatalog(async (c) => expect(await expectFigures(c)).toBe(true));
    const two = await testPath("two");
    await publishPath(two);
    await inCatalog(async (first) => {
      const c = restarted(first);
      expect(keptFigures(c)).toMatchObject({ isExact: false });
      // Until they are counted, those that were exact when the push was settled, with their time.
      expect(statsOf(c)).toMatchObject({ paths: 2, counting: true });
      expect(Date.parse(statsOf(c).as_of)).toBeLessThanOrEqual(c.now());
      expect(countInRequest(c)).toBe(true);
      expect(statsOf(c)).toMatchObject({ paths: 2 });
      expect(await expectFigures(c)).toBe(true);
    });
  });
});

describe("a recount of 30,000 paths", () => {
  it("takes steps of a bounded number of rows, and counts what comes and goes meanwhile", async () => {
    const pushed = await testPath("zzz-pushed");
    await inCatalog((c) => manyPaths(c, 30_000));
    await inCatalog(async (first) => {
      const c = restarted(first);
      const { context, spent } = metered(c);
      let steps = 0;
      for (let next: number | undefined = 0, rows = 0; next !== undefined; steps++) {
        next = await keepFigures({ ...context, isBusy: () => false });
        expect(spent().rows_read - rows).toBeLessThanOrEqual(STEP_ROWS + 10);
        rows = spent().rows_read;
        // One that has been counted, and one that has not.
        const { hash: low } = c.sql.exec<{ hash: string }>("SELECT min(hash) AS hash FROM paths").one();
        const { hash: high } = c.sql.exec<{ hash: string }>("SELECT max(hash) AS hash FROM paths").one();
        for (const hash of [low, high]) c.transaction(() => deletePathRow(c, hash));
      }
      expect(steps).toBeGreaterThan(20);
      expect(keptFigures(c)).toMatchObject({ isExact: true });
      expect(await expectFigures(c)).toBe(true);
      expect(countedAnew(c).nars).toBe(30_000);
    });
    // A push in the middle, too.
    await inCatalog(async (c) => {
      c.sql.exec("UPDATE figures SET is_exact = 0");
      c.tally.kept = undefined;
      await keepFigures(c);
    });
    await publishPath(pushed);
    await inCatalog(async (c) => {
      for (let turn = 0; turn < 40; turn++) await keepFigures(c);
      expect(await expectFigures(c)).toBe(true);
      expect(statsOf(c).counting).toBeUndefined();
    });
  });

  it("is never done by one request: alarms go on with it", async () => {
    await inCatalog((c) => manyPaths(c, 30_000));
    await inCatalog((c) => {
      const { context, spent } = metered(restarted(c));
      expect(countInRequest(context)).toBe(false);
      expect(statsOf(context)).toMatchObject({ counting: true, paths: 2 * REQUEST_ROWS });
      expect(spent().rows_read).toBeLessThan(3 * REQUEST_ROWS);
    });
    await evictDurableObject(catalog());
    expect(await value(catalog().stats())).toMatchObject({ counting: true });
    for (let alarm = 0; alarm < 40 && (await runDurableObjectAlarm(catalog())); alarm++);
    await inCatalog((c) => {
      const { context, spent } = metered(c);
      expect(statsOf(context)).toMatchObject({ paths: 30_000, nars: 30_000 });
      expect(statsOf(context).largest).toHaveLength(10);
      expect(spent().rows_read).toBeLessThan(200);
    });
  });
});
