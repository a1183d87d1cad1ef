// Companions are deleted with their path: listings, logs, realisations, build traces, debug info.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { ownerOf, ownerTypeOf } from "../../../src/bucket/companions.ts";
import { announceCompanion } from "../../../src/catalog/publish/last-use.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { companionsStillNeeded } from "../../../src/catalog/rows/companions.ts";
import { failing } from "../../support/bucket.ts";
import { cacheWith, keys } from "../../support/cache.ts";
import { recorded } from "../../support/catalog.ts";
import { baseNameOf, hashOf, withInfo } from "../../support/closure.ts";
import {
  beginRetention,
  collect,
  collectAfter,
  cronUntil,
  daysLater,
  MONTH,
} from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { companionOf, METADATA } from "../../support/objects.ts";
import { inCatalog, publishPath, reindex } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const DRV = `${"0".repeat(32)}-hello.drv`;

function companionsOf(path: TestPath): Record<string, string> {
  const owner = { hash: hashOf(path), baseName: baseNameOf(path), deriver: DRV, narKey: path.narKey };
  return Object.fromEntries(METADATA.map(({ kind }) => companionOf(kind, owner)));
}

async function helloFrom(drv: string, name = "hello"): Promise<TestPath> {
  return withInfo(await testPath(name, `contents of ${name}`), { deriver: drv });
}

describe("to what a companion belongs", () => {
  const base = `${"0".repeat(32)}-hello`;
  it.each([
    [`${"1".repeat(32)}.ls`, "{}", "1".repeat(32)],
    [`log/${DRV}`, "", DRV],
    ["realisations/sha256:0!out.doi", `{"outPath":"${base}"}`, "0".repeat(32)],
    ["realisations/sha256:0!out.doi", `{"outPath":"/nix/store/${base}"}`, "0".repeat(32)],
    ["build-trace-v2/x.drv/out.doi", `{"key":{},"value":{"outPath":"${base}"}}`, "0".repeat(32)],
    ["debuginfo/0.debug", '{"archive":"../nar/x.nar.xz"}', "nar/x.nar.xz"],
    ["debuginfo/0.debug", '{"archive":"https://elsewhere/nar/x"}', undefined],
    ["debuginfo/0.debug", "[]", undefined],
    ["realisations/sha256:0!out.doi", '{"outPath":7}', undefined],
    ["realisations/sha256:0!out.doi", "not JSON", undefined],
  ])("%s %s", (key, text, owner) => {
    expect(ownerOf(key, text)).toBe(owner);
  });
});

describe.each(["told by their PUTs", "found by a reindex"])("companions, %s,", (how) => {
  async function put(path: TestPath): Promise<string[]> {
    const cache = cacheWith();
    for (const [key, body] of Object.entries(companionsOf(path))) {
      if (how === "told by their PUTs")
        expect(await cache.put(`/${key}`, body)).toMatchObject({ status: 201 });
      else await env.BUCKET.put(key, body);
    }
    await inCatalog((c) => reindex(c));
    return Object.keys(companionsOf(path)).sort();
  }

  it("stay with a path that stays", async () => {
    const path = await helloFrom(DRV);
    await publishPath(path);
    const companions = await put(path);
    await beginRetention(MONTH);
    await collectAfter(20, MONTH, { force: true });
    expect(await keys()).toEqual([...companions, path.key, path.narKey].sort());
  });

  it("go with it, debug info with its NAR, and the edge is told", async () => {
    const path = await helloFrom(DRV);
    await publishPath(path);
    const companions = await put(path);
    await beginRetention(MONTH);
    await cronUntil(39);
    const { purged } = await recorded((c) => collect(c, { force: true }), {}, daysLater(40, MONTH));
    const ofNar = companions.filter((key) => ownerTypeOf(key) === "nar");
    expect(await keys()).toEqual([...ofNar, path.narKey].sort());
    const swept = await recorded((c) => sweepNars(c), {}, daysLater(42, MONTH));
    expect(await keys()).toEqual([]);
    expect(new Set([...purged, ...swept.purged].flat())).toEqual(
      new Set([...companions, path.key, path.narKey].map((key) => `/${key}`)),
    );
    expect(await inCatalog(({ sql }) => sql.exec("SELECT * FROM companions").toArray())).toEqual([]);
  });
});

describe("a log", () => {
  it("stays while any path of its deriver does", async () => {
    const [out, dev] = [await helloFrom(DRV), await helloFrom(DRV, "hello-dev")];
    for (const path of [out, dev]) await publishPath(path);
    await env.BUCKET.put(`log/${DRV}`, "building");
    await beginRetention(MONTH);
    await inCatalog((c) => announceCompanion(c, `${hashOf(dev)}.ls`, hashOf(dev)), daysLater(20, MONTH));
    await collectAfter(40, MONTH);
    expect(await keys()).toEqual([`log/${DRV}`, dev.key, dev.narKey, out.narKey].sort());
    await collectAfter(60, MONTH, { force: true });
    expect(await keys()).toEqual([dev.narKey, out.narKey].sort());
  });
});

it("a log is still needed while a row has its deriver", async () => {
  await publishPath(await helloFrom(DRV));
  const other = `log/${"1".repeat(32)}-hello.drv`;
  const keys = [`log/${DRV}`, other, `${"0".repeat(32)}.ls`, DRV];
  expect(await inCatalog((c) => companionsStillNeeded(c, keys))).toEqual(new Set([`log/${DRV}`]));
  expect(await inCatalog((c) => companionsStillNeeded(c, []))).toEqual(new Set());
});

describe("a companion that is put while its path is being deleted", () => {
  it("waits until the deletion is over, and is not deleted", async () => {
    const path = await helloFrom(DRV);
    await publishPath(path);
    await beginRetention(MONTH);
    await cronUntil(39);
    const outage = failing(({ name }) => name === "delete");
    const later = daysLater(40, MONTH);
    await expect(recorded((c) => collect(c, { force: true }), outage, later)).rejects.toThrow(
      /did not answer/,
    );
    const listing = `${hashOf(path)}.ls`;
    const { operations } = await recorded((c) => announceCompanion(c, listing, hashOf(path)), {}, later);
    expect(operations).toEqual([`delete ${path.key}`]);
    await env.BUCKET.put(listing, "{}");
    await collectAfter(41, MONTH, { force: true });
    expect(await keys()).toContain(listing);
  });
});
