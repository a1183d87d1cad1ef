// What a collection removes and what it keeps: age, size, pins, wants, and the gate before a mistake.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { gcReport } from "../../src/catalog/collection.ts";
import { sweepNars } from "../../src/catalog/delete.ts";
import { publish } from "../../src/catalog/publish.ts";
import { loadRun } from "../../src/catalog/runs.ts";
import { continueRuns, requestRun } from "../../src/catalog/steps.ts";
import { expectCompanion, wantPath, wantPaths } from "../../src/catalog/wants.ts";
import { failing } from "../support/bucket.ts";
import { keys } from "../support/cache.ts";
import { recorded } from "../support/catalog.ts";
import { baseNameOf, closure, hashOf, publishClosure } from "../support/closure.ts";
import {
  beginRetention,
  collect,
  collectAfter,
  configWith,
  cronUntil,
  daysLater,
} from "../support/collecting.ts";
import { captureLog } from "../support/log.ts";
import { catalog, HOUR_MS, inCatalog, publishPath, storePath, value } from "../support/runs.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const MONTH = { retention_days: 30 };
const FORCE = { force: true };

async function narinfos(): Promise<string[]> {
  return (await keys()).filter((key) => key.endsWith(".narinfo"));
}

async function published(...names: string[]): Promise<TestPath[]> {
  const paths = await Promise.all(names.map((name) => testPath(name, `contents of ${name}`)));
  for (const path of paths) await publishPath(path);
  return paths;
}

describe("with neither retention_days nor max_size_gb", () => {
  it("nothing is ever collected, and the report says so", async () => {
    await publishClosure();
    const report = await collectAfter(10_000, {}, FORCE);
    expect(report).toMatchObject({
      done: true,
      removed: { paths: 0 },
      stopped: expect.stringMatching(/^neither/),
    });
    expect(await narinfos()).toHaveLength(3);
  });
});

describe("retention_days", () => {
  it("keeps what was pushed within it, to the day, and removes it a little later", async () => {
    await publishClosure();
    await beginRetention(MONTH);
    expect(await collectAfter(30, MONTH, FORCE)).toMatchObject({ dead: { paths: 0 }, roots: 3 });
    expect(await collectAfter(31, MONTH, FORCE)).toMatchObject({
      roots: 0,
      paths: 3,
      alive: { paths: 0, bytes: 0 },
      dead: { paths: 3, expired: 3, tooLarge: 0 },
      removed: { paths: 3 },
      spared: 0,
    });
    expect(await narinfos()).toEqual([]);
  });

  it("keeps the whole closure of what is kept", async () => {
    const { packed, all } = await publishClosure();
    const [other] = await published("other-1.0");
    await beginRetention(MONTH);
    await inCatalog((c) => wantPath(c, hashOf(packed)), daysLater(20, MONTH));
    const report = await collectAfter(40, MONTH);
    expect(report).toMatchObject({ roots: 1, alive: { paths: 3 }, removed: { paths: 1 } });
    expect(report.oldest).toEqual([
      { storePath: `/nix/store/${baseNameOf(other as TestPath)}`, lastWanted: expect.any(String) },
    ]);
    expect(await narinfos()).toEqual(all.map(({ key }) => key).sort());
  });

  it.each<[string, (path: TestPath) => Promise<unknown>]>([
    ["asked for by a pusher", (path) => inCatalog((c) => wantPaths(c, [hashOf(path)]), daysLater(20, MONTH))],
    ["pushed again", (path) => inCatalog((c) => publish(c, path.text, "tester"), daysLater(20, MONTH))],
    [
      "pushed again with another content",
      async (path) => {
        const other = await testPath(path.info.storePath.name, "another build");
        await env.BUCKET.put(other.narKey, other.nar);
        await inCatalog((c) => publish(c, other.text, "tester"), daysLater(20, MONTH));
      },
    ],
    [
      "whose listing is pushed",
      (path) =>
        inCatalog((c) => expectCompanion(c, `${hashOf(path)}.ls`, hashOf(path)), daysLater(20, MONTH)),
    ],
  ])("is counted anew for a path that is %s", async (_, care) => {
    const [kept, lost] = (await published("kept-1.0", "lost-1.0")) as [TestPath, TestPath];
    await beginRetention(MONTH);
    await care(kept);
    await collectAfter(49, MONTH);
    expect(await narinfos()).toEqual([kept.key]);
    await collectAfter(52, MONTH, FORCE);
    expect(await narinfos()).toEqual([]);
    expect(lost).toBeDefined();
  });

  it("is counted from the first collection after a catalog was built anew", async () => {
    await publishClosure();
    await beginRetention(MONTH);
    await inCatalog(({ sql }) => {
      for (const table of ["paths", "refs", "nars", "runs"]) sql.exec(`DELETE FROM ${table}`);
    });
    expect(await collectAfter(31, MONTH, FORCE)).toMatchObject({ paths: 3, removed: { paths: 0 } });
    expect(await collectAfter(32, MONTH, FORCE)).toMatchObject({ paths: 3, removed: { paths: 0 } });
    expect(await collectAfter(62, MONTH, FORCE)).toMatchObject({ paths: 3, removed: { paths: 0 } });
    expect(await collectAfter(63, MONTH, FORCE)).toMatchObject({ removed: { paths: 3 } });
  });

  it("is counted anew where it was not configured for a while: nobody noted then what was asked for", async () => {
    const [path] = (await published("asked-for-1.0")) as [TestPath];
    await beginRetention(MONTH);
    await collectAfter(10, MONTH);
    await inCatalog((c) => wantPath(c, hashOf(path)), daysLater(69, {}));
    const again = await inCatalog((c) => collect(c, FORCE), daysLater(70, MONTH));
    expect(again).toMatchObject({ dead: { paths: 0 }, removed: { paths: 0 } });
    expect(await collectAfter(100, MONTH, FORCE)).toMatchObject({ removed: { paths: 0 } });
    expect(await collectAfter(101, MONTH, FORCE)).toMatchObject({ removed: { paths: 1 } });
  });

  it.each([
    ["neither is set", configWith({})],
    ["retention_days is a mistake", configWith({ retention_days: -1 })],
  ])("is counted anew after a collection that saw that %s", async (_, config) => {
    await published("asked-for-1.0");
    await beginRetention(MONTH);
    await cronUntil(39);
    const later = daysLater(40, MONTH);
    await recorded(
      (c) => requestRun(c, "gc", FORCE),
      failing(({ name }) => name === "delete"),
      later,
    );
    await inCatalog((c) => continueRuns(c), { ...daysLater(40.1, MONTH), config });
    expect(await inCatalog((c) => gcReport(c))).toMatchObject({ stopped: expect.stringMatching(/changed/) });
    await publishPath(await testPath("asked-for-1.0", "contents of asked-for-1.0"));
    await inCatalog(({ sql }) => sql.exec("UPDATE paths SET wanted = 1000"));
    expect(await collectAfter(41, MONTH, FORCE)).toMatchObject({ dead: { paths: 0 } });
  });

  it.each([
    [2.9, 1],
    [3.1, 0],
  ])("goes on where the cron has failed for %d days: %d go", async (days, removed) => {
    await published("old-1.0");
    await beginRetention(MONTH);
    await cronUntil(40);
    const report = await inCatalog((c) => collect(c, FORCE), daysLater(40 + days, MONTH));
    expect(report).toMatchObject({ removed: { paths: removed } });
  });

  it("never is shorter than the grace period", async () => {
    await publishClosure();
    await beginRetention({ retention_days: 0.001 });
    expect(await collectAfter(1.5, { retention_days: 0.001 }, FORCE)).toMatchObject({ dead: { paths: 0 } });
    expect(await collectAfter(1.6, { retention_days: 0.001 }, FORCE)).toMatchObject({
      removed: { paths: 3 },
    });
  });
});

describe("what is removed", () => {
  it("goes level by level, and costs one call of the bucket for each", async () => {
    await publishClosure();
    await beginRetention(MONTH);
    await cronUntil(39);
    const { operations, billed, result } = await recorded((c) => collect(c, FORCE), {}, daysLater(40, MONTH));
    expect(operations.map((operation) => operation.split(" ")[0])).toEqual(["delete", "delete", "delete"]);
    expect(billed).toEqual({ A: 0, B: 0 });
    expect(result).toMatchObject({ spent: { classA: 0, classB: 0, deletes: 3 } });
  });

  it("leaves its NARs for a grace period, then they go, too", async () => {
    const { all } = await publishClosure();
    await beginRetention(MONTH);
    const { removed } = await collectAfter(40, MONTH, FORCE);
    expect(removed.bytes).toBe(all.reduce((sum, { nar }) => sum + nar.length, 0));
    expect(await keys()).toHaveLength(3);
    const later = daysLater(42, MONTH);
    expect(await inCatalog((c) => sweepNars(c), later)).toMatchObject({ deletedNars: 3 });
    expect(await keys()).toEqual([]);
    expect(await inCatalog(({ sql }) => sql.exec("SELECT * FROM marks").toArray())).toEqual([]);
  });

  it("are also NARs that were uploaded and never published", async () => {
    const [, path] = [await publishClosure(), await testPath("never-1.0")];
    await value(catalog().expectNar({ key: path.narKey, size: path.nar.length }));
    await env.BUCKET.put(path.narKey, path.nar);
    await beginRetention(MONTH);
    expect(await collectAfter(2, MONTH)).toMatchObject({ unpublishedNars: 1, dead: { paths: 0 } });
    await inCatalog((c) => sweepNars(c), daysLater(4, MONTH));
    expect(await keys()).not.toContain(path.narKey);
  });

  it("is only told by a dry run", async () => {
    await publishClosure();
    await published("other-1.0", "other-2.0", "other-3.0", "other-4.0");
    await beginRetention(MONTH);
    await inCatalog(
      (c) =>
        wantPaths(
          c,
          c.sql
            .exec<{ hash: string }>("SELECT hash FROM paths WHERE name LIKE 'other%'")
            .toArray()
            .map(({ hash }) => hash),
        ),
      daysLater(20, MONTH),
    );
    const report = await collectAfter(40, MONTH, { dryRun: true });
    expect(report).toMatchObject({ done: true, dryRun: true, dead: { paths: 3 }, removed: { paths: 0 } });
    expect(report.oldest.map(({ storePath }) => storePath.slice(44)).sort()).toEqual([
      "app-1.0",
      "library-1.0",
      "packed-1.0",
    ]);
    expect(report.stopped).toBeUndefined();
    expect(await narinfos()).toHaveLength(7);
    expect(await collectAfter(40, MONTH)).toMatchObject({ removed: { paths: 3 } });
  });
});

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

  it("names the rule where something has been pushed", async () => {
    const [one] = await published("a", "b", "c", "d");
    await beginRetention(MONTH);
    await inCatalog((c) => wantPaths(c, [hashOf(one as TestPath)]), daysLater(39, MONTH));
    expect((await collectAfter(40, MONTH)).stopped).toMatch(/older than retention_days = 30: is it right/);
    const size = { max_size_gb: 1e-9 };
    expect((await collectAfter(40, size)).stopped).toMatch(/max_size_gb = 1e-9 is less than half/);
  });
});

describe("a mistake in the configuration", () => {
  it("keeps everything, and is named", async () => {
    await publishClosure();
    const config = configWith({ retention_days: 30 }, { PRIORITY: "high" });
    const refused = await recorded((c) => requestRun(c, "gc", FORCE), {}, { config });
    expect(refused.result).toMatchObject({
      status: 403,
      message: expect.stringMatching(/^nothing is collected .* PRIORITY/),
    });
  });

  it("that appears while a collection is under way stops it until it is mended", async () => {
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
      await requestRun({ ...c, config: turning }, "gc", FORCE);
      expect(gcReport(c)).toMatchObject({ done: false, problem: expect.stringMatching(/PRIORITY/) });
      expect(await narinfos()).toEqual(all.map(({ key }) => key).sort());
      expect(await collect(c)).toMatchObject({ removed: { paths: 3 } });
    }, later);
  });
});

it.each([
  ["the same narinfo", "contents of stored-1.0"],
  ["another build of it", "another build"],
])("a push of %s counts where the bucket has had one that the catalog did not know", async (_, contents) => {
  const [stored, pushed] = [
    await testPath("stored-1.0", "contents of stored-1.0"),
    await testPath("stored-1.0", contents),
  ];
  await storePath(stored);
  await env.BUCKET.put(pushed.narKey, pushed.nar);
  const later = daysLater(20, MONTH);
  await inCatalog((c) => publish(c, pushed.text, "tester"), later);
  const { wanted } = await inCatalog(({ sql }) =>
    sql.exec<{ wanted: number }>("SELECT wanted FROM paths").one(),
  );
  expect(wanted).toBeGreaterThan(Date.now() + 19 * 24 * HOUR_MS);
});

it("in one invocation goes no further after a reindex that took long", async () => {
  for (let number = 0; number < 60; number++) await storePath(await testPath(`path-${number}`));
  const { operations } = await recorded((c) => requestRun(c, "gc", {}), {}, daysLater(0, MONTH));
  expect(operations.length).toBeGreaterThan(60);
  await inCatalog((c) => expect(loadRun(c, "reindex")?.finished).toBeUndefined());
});

it("without a reindex builds the catalog first", async () => {
  const { all } = await closure();
  for (const path of all) {
    await env.BUCKET.put(path.narKey, path.nar);
    await env.BUCKET.put(path.key, path.text);
  }
  expect(await collectAfter(0, MONTH)).toMatchObject({ done: true });
  expect(await inCatalog(({ sql }) => sql.exec("SELECT count(*) AS n FROM paths").one())).toEqual({ n: 3 });
  // Whoever asked before it was built could not be noted: the next collection is the first that counts.
  expect(await collectAfter(1, MONTH, FORCE)).toMatchObject({ removed: { paths: 0 } });
  expect(await collectAfter(31, MONTH, FORCE)).toMatchObject({ removed: { paths: 0 } });
  expect(await collectAfter(32, MONTH, FORCE)).toMatchObject({ removed: { paths: 3 } });
  expect(HOUR_MS).toBe(3600_000);
});
