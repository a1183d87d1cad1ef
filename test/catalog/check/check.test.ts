/** Checks: what is wrong with the bucket or the catalog is found, and what is safe to repair is repaired. */
// @module-tag slow
import { evictDurableObject, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_OPERATIONS } from "../../../src/catalog/scan/items.ts";
import { watch } from "../../support/bucket.ts";
import { cacheWith, contents, keys, PUSH_TOKEN } from "../../support/cache.ts";
import { baseNameOf, closure, hashOf, publishClosure } from "../../support/closure.ts";
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
  storePath,
  untilDone,
  value,
} from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";
import { DAMAGES, type Found } from "./damage.ts";

captureLog();
afterEach(() => reset());

/** Without the kinds of which there is nothing. */
function union(...founds: readonly (Found | undefined)[]): Found {
  const all = Object.assign({}, ...founds) as Found;
  return Object.fromEntries(Object.entries(all).filter(([, names]) => names.length > 0));
}

describe("a check", () => {
  it.each(DAMAGES)("finds, and changes nothing: $name", async ({ damage }) => {
    const { found } = await damage(await publishClosure());
    const before = { bucket: await contents(), rows: await inCatalog(rows) };
    const report = await inCatalog((c) => check(c));
    expect(namesOf(report)).toEqual(found);
    expect(report).toMatchObject({ kind: "check", done: true, repair: false });
    expect(report.clean).toBe(Object.keys(found).length === 0);
    expect(Object.values(report.findings).every(({ repaired }) => repaired === 0)).toBe(true);
    expect({ bucket: await contents(), rows: await inCatalog(rows) }).toEqual(before);
    expect(await inCatalog(({ sql }) => sql.exec("SELECT * FROM unindexed").toArray())).toEqual([]);
  });

  it.each(DAMAGES)("repairs what is safe: $name", async ({ damage }) => {
    const { found, foundByRepair, left = {}, deleted = [] } = await damage(await publishClosure());
    const before = await contents();
    const report = await inCatalog((c) => check(c, { repair: true }));
    expect(namesOf(report)).toEqual(union(found, foundByRepair));
    const after = await contents();
    expect(Object.keys(before).filter((key) => !(key in after))).toEqual([...deleted].sort());
    // What it leaves, it leaves as it was.
    expect(before).toMatchObject(after);
    expect((await inCatalog(rows)).pending).toEqual([]);
    expect(namesOf(await inCatalog((c) => check(c)))).toEqual(left);
    // The catalog says what the bucket says: there is nothing left for a reindex.
    expect(await inCatalog(reindex)).toMatchObject({ indexed: 0, removed: 0 });
  });

  it.each(DAMAGES)("makes a push heal what it has deleted, if it repairs: $name", async ({ damage }) => {
    const cache = cacheWith();
    const paths = await publishClosure();
    const { deleted } = await damage(paths);
    if (deleted === undefined) return;
    await inCatalog((c) => check(c, { repair: true }));
    for (const path of paths.all.filter(({ key }) => deleted.includes(key))) {
      // As Nix does: the NAR only if it is not there.
      const { status } = await cache.head(`/${path.narKey}`, { Authorization: `Bearer ${PUSH_TOKEN}` });
      if (status === 404) await cache.put(`/${path.narKey}`, path.nar);
      expect(await cache.put(`/${path.key}`, path.text)).toMatchObject({ status: 201 });
    }
    const again = namesOf(await inCatalog((c) => check(c)));
    for (const path of paths.all) expect(Object.values(again).flat()).not.toContain(path.narKey);
    expect(again["missing-nar"] ?? again["damaged-nar"]).toBeUndefined();
  });

  it("says what is wrong with each, for a person", async () => {
    const { library, app, packed } = await publishClosure();
    await env.BUCKET.delete(library.narKey);
    await env.BUCKET.put(packed.narKey, "cut");
    await env.BUCKET.put("nar/unknown.nar", "12345");
    await inCatalog(({ sql }) => sql.exec("DELETE FROM paths WHERE hash = ?", hashOf(app)));
    await env.BUCKET.delete(app.key);
    const { findings } = await inCatalog((c) => check(c));
    const details = Object.values(findings).flatMap(({ first }) => first.map((f) => `${f.name} ${f.detail}`));
    expect(details.sort()).toEqual(
      [
        `${baseNameOf(library)} its NAR ${library.narKey} is not in the bucket`,
        `${baseNameOf(packed)} its NAR ${packed.narKey} has 3 bytes, not ${packed.nar.length}`,
        "nar/unknown.nar is not in the catalog; 5 bytes",
        `${library.narKey} is in the catalog, but not in the bucket`,
        `${baseNameOf(app)} is not here; ${baseNameOf(packed)} refer to it`,
      ].sort(),
    );
  });

  it("names the first 100 of a kind and counts all", async () => {
    await Promise.all(
      Array.from({ length: 130 }, async (_, n) => env.BUCKET.put((await testPath(`p${n}`)).key, "broken")),
    );
    const { findings } = await inCatalog((c) => check(c, { repair: true }));
    expect(findings["unreadable-narinfo"]).toMatchObject({ count: 130, repaired: 130 });
    expect(findings["unreadable-narinfo"].first).toHaveLength(100);
    expect(await keys()).toEqual([]);
  });

  it("takes no operation but the listing where there is nothing to find", async () => {
    await publishClosure();
    const operations = await inCatalog(async (c) => {
      const watched = watch(c.bucket);
      await check({ ...c, bucket: watched.bucket }, { repair: true });
      return watched.operations.map(({ name }) => name);
    });
    expect(operations).toEqual(["list", "list", "list"]);
  });

  it("goes on between the paths of one NAR, where more of them have it than one step looks at", async () => {
    const count = MAX_OPERATIONS / 2 + 30;
    const paths = await Promise.all(
      Array.from({ length: count }, (_, n) => testPath(`p${n}`, "the same", { references: [] })),
    );
    await Promise.all(paths.map((path) => env.BUCKET.put(path.key, path.text)));
    await inCatalog(reindex);
    for (const repair of [false, true]) {
      const report = await inCatalog((c) => check(c, { repair }));
      expect(report.findings["missing-nar"]).toMatchObject({ count, repaired: repair ? count : 0 });
    }
    expect(await keys()).toEqual([]);
  }, 60_000);

  it("knows what narinfos need that the catalog does not know", async () => {
    const { library, app } = await closure();
    await storePath(library);
    await storePath(app);
    expect(namesOf(await inCatalog((c) => check(c), later(NAR_GRACE_MS)))).toEqual({
      "unindexed-narinfo": [baseNameOf(library), baseNameOf(app)].sort(),
      "unindexed-nar": [library.narKey, app.narKey].sort(),
    });
  });

  it("has its steps done by alarms, though the object is evicted, and told by the status", async () => {
    expect(await value(catalog().checkStatus())).toBeUndefined();
    const count = 250;
    await Promise.all(Array.from({ length: count }, async (_, n) => storePath(await testPath(`path-${n}`))));
    const first = await value(catalog().check({ repair: true }));
    expect(first).toMatchObject({ done: false, repair: true, steps: 1, narinfos: 199 });
    await evictDurableObject(catalog());
    const report = await untilDone(() => catalog().checkStatus());
    expect(report).toMatchObject({ done: true, narinfos: count, nars: count, clean: false });
    expect(report.findings["unindexed-narinfo"]).toMatchObject({ count, repaired: count });
  }, 60_000);
});
