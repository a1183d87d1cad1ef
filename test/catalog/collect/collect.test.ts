// Retention: age, and later uses and pushes. Other files: collect-*.test.ts.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { RUNS } from "../../../src/catalog/catalog.ts";
import { COLLECT } from "../../../src/catalog/collect/collect.ts";
import { announceCompanion, touchPath, touchPaths } from "../../../src/catalog/publish/last-use.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { continueRuns, requestRun } from "../../../src/catalog/runs/engine.ts";
import { failing } from "../../support/bucket.ts";
import { recorded } from "../../support/catalog.ts";
import { baseNameOf, hashOf, publishClosure } from "../../support/closure.ts";
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
import { inCatalog, publishPath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

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
      dead: { paths: 3, expired: 3, too_large: 0 },
      removed: { paths: 3 },
      spared: 0,
    });
    expect(await narinfos()).toEqual([]);
  });

  it("keeps the whole closure of what is kept", async () => {
    const { packed, all } = await publishClosure();
    const [other] = await published("other-1.0");
    await beginRetention(MONTH);
    await inCatalog((c) => touchPath(c, hashOf(packed)), daysLater(20, MONTH));
    const report = await collectAfter(40, MONTH);
    expect(report).toMatchObject({ roots: 1, alive: { paths: 3 }, removed: { paths: 1 } });
    expect(report.oldest).toEqual([
      { store_path: `/nix/store/${baseNameOf(other as TestPath)}`, last_used: expect.any(String) },
    ]);
    expect(await narinfos()).toEqual(all.map(({ key }) => key).sort());
  });

  it.each<[string, (path: TestPath) => Promise<unknown>]>([
    [
      "asked for by a pusher",
      (path) => inCatalog((c) => touchPaths(c, [hashOf(path)]), daysLater(20, MONTH)),
    ],
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
        inCatalog((c) => announceCompanion(c, `${hashOf(path)}.ls`, hashOf(path)), daysLater(20, MONTH)),
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

  it("is counted anew after a time without rules, in which uses were not recorded", async () => {
    const [path] = (await published("asked-for-1.0")) as [TestPath];
    await beginRetention(MONTH);
    await collectAfter(10, MONTH);
    await inCatalog((c) => touchPath(c, hashOf(path)), daysLater(69, {}));
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
      (c) => requestRun(c, COLLECT, FORCE),
      failing(({ name }) => name === "delete"),
      later,
    );
    await inCatalog((c) => continueRuns(c, RUNS), { ...daysLater(40.1, MONTH), config });
    expect(await inCatalog((c) => COLLECT.status(c))).toMatchObject({
      stopped: expect.stringMatching(/changed/),
    });
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
