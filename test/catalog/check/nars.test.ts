/** Checks of NARs that no path has: uploads that never arrived, and what nothing refers to. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { announceNar, touchNar } from "../../../src/catalog/publish/announce-nar.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { openPublication } from "../../../src/catalog/rows/publications.ts";
import { meanwhile, watch } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { hashOf } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import {
  catalog,
  check,
  inCatalog,
  later,
  NAR_GRACE_MS,
  namesOf,
  reindex,
  rows,
  value,
} from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("an upload that never arrived", () => {
  it("is no finding, and a repair forgets it after the grace period", async () => {
    await value(catalog().announceNar({ key: "nar/announced.nar", size: 5 }));
    const left = async () => (await inCatalog(rows)).nars.length;
    expect(namesOf(await inCatalog((c) => check(c, { repair: true })))).toEqual({});
    expect(namesOf(await inCatalog((c) => check(c), later(NAR_GRACE_MS)))).toEqual({});
    expect(await left()).toBe(1);
    expect(namesOf(await inCatalog((c) => check(c, { repair: true }), later(NAR_GRACE_MS)))).toEqual({});
    expect(await left()).toBe(0);
  });
});

describe("a NAR that nothing refers to", () => {
  const nar = "nar/00000000000000000000000000000000000000000000.nar";

  it("is found after the grace period; the repair leaves it to the sweep, which leaves it another one", async () => {
    await env.BUCKET.put(nar, "of nobody");
    await inCatalog(reindex);
    expect(namesOf(await inCatalog((c) => check(c, { repair: true })))).toEqual({});
    expect(namesOf(await inCatalog((c) => check(c), later(NAR_GRACE_MS)))).toEqual({
      "unreferenced-nar": [nar],
    });
    const { findings } = await inCatalog((c) => check(c, { repair: true }), later(NAR_GRACE_MS));
    expect(findings["unreferenced-nar"]).toMatchObject({ count: 1, repaired: 1 });
    expect(await keys()).toEqual([nar]);
    // It is seen to.
    expect(namesOf(await inCatalog((c) => check(c), later(NAR_GRACE_MS)))).toEqual({});
    const sweep = (ms: number) => inCatalog((c) => sweepNars(c), { now: () => Date.now() + ms });
    expect(await sweep(2 * NAR_GRACE_MS - 60_000)).toMatchObject({ deletedNars: 0 });
    expect(await sweep(2 * NAR_GRACE_MS + 60_000)).toMatchObject({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
  });

  it("wakes the sweep", async () => {
    await env.BUCKET.put(nar, "of nobody");
    await inCatalog(({ sql }) =>
      sql.exec(
        `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
         VALUES (?, 9, NULL, 1, 0, 0, ?)`,
        nar,
        Date.now() - NAR_GRACE_MS,
      ),
    );
    expect(await value(catalog().check({ repair: true }))).toMatchObject({ clean: true });
    await inCatalog((_, { storage }) => storage.setAlarm(Date.now()));
    for (let turn = 0; turn < 100 && (await keys()).length > 0; turn++) await scheduler.wait(20);
    expect(await keys()).toEqual([]);
  });

  it.each<[string, (path: TestPath, c: CatalogContext) => Promise<unknown> | unknown]>([
    ["has been announced again", (path, c) => announceNar(c, { key: path.narKey, size: path.nar.length })],
    ["a pusher has asked for again", (path, c) => touchNar(c, path.narKey)],
    [
      "is being published",
      (path, c) => openPublication(c, hashOf(path), { nars: [path.narKey], references: [] }),
    ],
  ])("is left alone that %s", async (_, care) => {
    const path = await testPath();
    await env.BUCKET.put(path.narKey, path.nar);
    await inCatalog(reindex);
    const names = await inCatalog(async (c) => {
      // Within the run: what a dead process had begun would be settled first.
      const cares = meanwhile(
        ({ name }) => name === "list",
        () => care(path, c),
      );
      return namesOf(await check({ ...c, bucket: watch(c.bucket, cares).bucket }, { repair: true }));
    }, later(NAR_GRACE_MS));
    expect(names).toEqual({});
  });
});
