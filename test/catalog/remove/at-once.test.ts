/** Deletions that take the NAR along at once, for a leaked secret: what goes, what stays and why, after a crash as well. */
import { reset, runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { failing, type Interference, isDelete, losingAnswers, losingRequests } from "../../support/bucket.ts";
import { keys, store } from "../../support/cache.ts";
import { publishing, recorded, rowsOf, storeNar } from "../../support/catalog.ts";
import { baseNameOf, closure, hashOf, publishClosure, withInfo } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, inCatalog, later, NAR_GRACE_MS, publishPath, value } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

function deletingNow(
  path: TestPath,
  { referrers = false, ...more }: { referrers?: boolean; fault?: Interference } = {},
  changes: Partial<CatalogContext> = {},
) {
  return recorded((c) => deletePath(c, hashOf(path), referrers, true), more.fault, changes);
}

describe("a deletion with its NAR", () => {
  it("leaves nothing in bucket, catalog and edge", async () => {
    const path = await testPath();
    await publishPath(path);
    const debug = `debuginfo/${"0".repeat(40)}.debug`;
    await value(catalog().announceCompanion(debug, path.narKey));
    await store(debug, JSON.stringify({ archive: `../${path.narKey}` }));
    await store(`${hashOf(path)}.ls`, "{}");
    const { result, purged, billed } = await deletingNow(path);
    expect(result).toEqual({ deleted: [baseNameOf(path)], removed_nars: [path.narKey], kept_nars: [] });
    expect(purged.flat()).toEqual(expect.arrayContaining([`/${path.key}`, `/${path.narKey}`, `/${debug}`]));
    expect(billed).toEqual({ A: 0, B: 0 });
    expect(await keys()).toEqual([]);
    for (const table of ["paths", "refs", "nars", "companions", "pending"]) {
      expect(await rowsOf(`SELECT * FROM ${table}`)).toEqual([]);
    }
  });

  it("can be followed by the same push", async () => {
    const path = await testPath();
    await publishPath(path);
    await deletingNow(path);
    await publishPath(path);
    expect(await keys()).toEqual([path.key, path.narKey].sort());
  });

  it("takes the NARs of all referrers along", async () => {
    const { library, all } = await publishClosure();
    const { result } = await deletingNow(library, { referrers: true });
    expect(result).toMatchObject({ deleted: all.map(baseNameOf).reverse(), kept_nars: [] });
    const removed = "removed_nars" in result ? [...(result.removed_nars ?? [])] : [];
    expect(removed.sort()).toEqual(all.map(({ narKey }) => narKey).sort());
    expect(await keys()).toEqual([]);
  });

  it("changes nothing where the path is referred to", async () => {
    const { library } = await publishClosure();
    const before = await keys();
    expect((await deletingNow(library)).result).toMatchObject({ status: 409 });
    expect(await keys()).toEqual(before);
    expect(await rowsOf("SELECT key FROM nars WHERE released IS NOT NULL")).toEqual([]);
  });

  it("of a path that is not here is a 404", async () => {
    expect((await deletingNow(await testPath())).result).toMatchObject({ status: 404 });
  });

  it("keeps a NAR that another path has, names that, and takes it with the last", async () => {
    const first = await testPath("first-1.0", "the same");
    const second = await testPath("second-1.0", "the same");
    expect(first.narKey).toBe(second.narKey);
    await publishPath(first);
    await publishPath(second);
    expect((await deletingNow(first)).result).toEqual({
      deleted: [baseNameOf(first)],
      removed_nars: [],
      kept_nars: [{ nar: first.narKey, reason: expect.stringContaining(hashOf(second)) }],
    });
    expect(await keys()).toContain(first.narKey);
    expect((await deletingNow(second)).result).toMatchObject({ removed_nars: [first.narKey] });
    expect(await keys()).toEqual([]);
  });

  it("takes a NAR that several of the deleted paths have", async () => {
    const first = await testPath("first-1.0", "the same");
    const second = withInfo(await testPath("second-1.0", "the same"), { references: [baseNameOf(first)] });
    await publishPath(first);
    await publishPath(second);
    expect((await deletingNow(first, { referrers: true })).result).toMatchObject({
      removed_nars: [first.narKey],
      kept_nars: [],
    });
    expect(await keys()).toEqual([]);
  });

  it("keeps the NAR of a push that has no answer yet", async () => {
    const path = await testPath("first-1.0", "the same");
    const other = await testPath("second-1.0", "the same");
    await publishPath(path);
    // Nobody knows yet whether its narinfo has arrived.
    await publishing(
      other.text,
      losingRequests(({ name }) => name === "put"),
    );
    expect((await deletingNow(path)).result).toMatchObject({
      removed_nars: [],
      kept_nars: [{ nar: path.narKey, reason: expect.stringContaining("a push is publishing it") }],
    });
    expect(await keys()).toEqual([path.narKey]);
    // Once it is known that it has not, the NAR goes without a grace period.
    expect((await recorded((c) => sweepNars(c), {}, later())).result).toMatchObject({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
  });

  it("keeps a log that belongs to another path, too", async () => {
    const { packed, app } = await closure();
    const deriver = `${hashOf(app)}-shared-1.0.drv`;
    const [one, two] = [
      withInfo(await testPath("shared-1.0", "one"), { deriver }),
      withInfo(await testPath("shared-1.0-dev", "two"), { deriver }),
    ];
    for (const path of [one, two]) await publishPath(path);
    await store(`log/${deriver}`, "the log");
    await deletingNow(one);
    expect(await keys()).toEqual([`log/${deriver}`, two.key, two.narKey].sort());
    await deletingNow(two);
    expect(await keys()).toEqual([]);
    expect(hashOf(packed)).not.toBe(hashOf(one));
  });
});

describe("a deletion with its NAR that is interrupted", () => {
  const isNarinfo = (path: TestPath) => (operation: { key: string }) => operation.key === path.key;

  it.each([
    ["the narinfo fails", (path: TestPath) => failing((o) => isDelete(o) && isNarinfo(path)(o))],
    [
      "the narinfo gets no answer",
      (path: TestPath) => losingAnswers((o) => isDelete(o) && isNarinfo(path)(o)),
    ],
    ["the NAR fails", (path: TestPath) => failing((o) => isDelete(o) && !isNarinfo(path)(o))],
    ["the NAR gets no answer", (path: TestPath) => losingAnswers((o) => isDelete(o) && !isNarinfo(path)(o))],
    ["nothing arrives", () => losingRequests(isDelete)],
  ])("because %s is finished by an alarm, without a grace period", async (_, fault) => {
    const path = await testPath();
    await publishPath(path);
    expect((await deletingNow(path, { fault: fault(path) })).result).toMatchObject({ status: 503 });
    // The alarm that it has set.
    const due = await inCatalog((_, { storage }) => storage.getAlarm());
    expect((due ?? 0) - Date.now()).toBeLessThan(3 * 60_000);
    await recorded((c) => sweepNars(c), {}, later(3 * 60_000));
    expect(await keys()).toEqual([]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    expect(await rowsOf("SELECT * FROM nars")).toEqual([]);
  });

  it.each([
    ["fails", failing(isDelete)],
    ["gets no answer", losingAnswers(isDelete)],
    ["does not arrive", losingRequests(isDelete)],
  ])("because it %s is finished by the same request", async (_, fault) => {
    const path = await testPath();
    await publishPath(path);
    await deletingNow(path, { fault });
    const { result } = await deletingNow(path);
    expect([result, await keys()]).toEqual([{ deleted: [], removed_nars: [path.narKey], kept_nars: [] }, []]);
    expect((await deletingNow(path)).result).toMatchObject({ status: 404 });
  });

  it("does not take a NAR that a pusher sends again", async () => {
    const path = await testPath();
    await publishPath(path);
    await deletingNow(path, { fault: failing((o) => isDelete(o) && isNarinfo(path)(o)) });
    await publishPath(path);
    await recorded((c) => sweepNars(c), {}, later(NAR_GRACE_MS + 60_000));
    expect(await keys()).toEqual([path.key, path.narKey].sort());
    expect(await rowsOf("SELECT released FROM nars")).toEqual([{ released: null }]);
  });
});

it("without it the NAR stays for its grace period, as ever", async () => {
  const path = await testPath();
  await publishPath(path);
  expect(await value(catalog().deletePath(hashOf(path), false))).toEqual({ deleted: [baseNameOf(path)] });
  await runDurableObjectAlarm(catalog());
  expect((await env.BUCKET.list()).objects.map(({ key }) => key)).toEqual([path.narKey]);
  await storeNar(path);
});
