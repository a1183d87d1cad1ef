import { evictDurableObject, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { checkReport } from "../../src/catalog/check.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { deletePath, sweepNars } from "../../src/catalog/delete.ts";
import { expectNar, narSeen } from "../../src/catalog/nars.ts";
import { begin, recover } from "../../src/catalog/pending.ts";
import { publish } from "../../src/catalog/publish.ts";
import { MAX_OPERATIONS } from "../../src/catalog/scan.ts";
import { continueRuns, requestRun } from "../../src/catalog/steps.ts";
import { failing, meanwhile, type Operation, watch } from "../support/bucket.ts";
import { cacheWith, contents, keys, PUSH_TOKEN } from "../support/cache.ts";
import { baseNameOf, closure, hashOf, publishClosure } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import {
  catalog,
  check,
  dyingAtEveryOperation,
  inCatalog,
  inSmallPages,
  NAR_GRACE_MS,
  namesOf,
  publishPath,
  reindex,
  rows,
  storePath,
  untilDone,
  value,
} from "../support/runs.ts";
import { compressedPath, type TestPath, testPath } from "../support/store-paths.ts";
import { DAMAGES, type Found } from "./damage.ts";

captureLog();
afterEach(() => reset());

/** Without the kinds of which there is nothing. */
function union(...founds: readonly (Found | undefined)[]): Found {
  const all = Object.assign({}, ...founds) as Found;
  return Object.fromEntries(Object.entries(all).filter(([, names]) => names.length > 0));
}

/** As if the grace period had passed since everything that has happened so far. */
const later = { now: () => Date.now() + NAR_GRACE_MS };

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
    expect(operations).toEqual(["list", "list"]);
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
    expect(namesOf(await inCatalog((c) => check(c), later))).toEqual({
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

describe("an upload that never arrived", () => {
  it("is no finding, and a repair forgets it after the grace period", async () => {
    await value(catalog().expectNar({ key: "nar/announced.nar", size: 5 }));
    const left = async () => (await inCatalog(rows)).nars.length;
    expect(namesOf(await inCatalog((c) => check(c, { repair: true })))).toEqual({});
    expect(namesOf(await inCatalog((c) => check(c), later))).toEqual({});
    expect(await left()).toBe(1);
    expect(namesOf(await inCatalog((c) => check(c, { repair: true }), later))).toEqual({});
    expect(await left()).toBe(0);
  });
});

describe("a NAR that nothing refers to", () => {
  const nar = "nar/00000000000000000000000000000000000000000000.nar";

  it("is found after the grace period; the repair leaves it to the sweep, which leaves it another one", async () => {
    await env.BUCKET.put(nar, "of nobody");
    await inCatalog(reindex);
    expect(namesOf(await inCatalog((c) => check(c, { repair: true })))).toEqual({});
    expect(namesOf(await inCatalog((c) => check(c), later))).toEqual({ "unreferenced-nar": [nar] });
    const { findings } = await inCatalog((c) => check(c, { repair: true }), later);
    expect(findings["unreferenced-nar"]).toMatchObject({ count: 1, repaired: 1 });
    expect(await keys()).toEqual([nar]);
    // It is seen to.
    expect(namesOf(await inCatalog((c) => check(c), later))).toEqual({});
    const sweep = (ms: number) => inCatalog((c) => sweepNars(c), { now: () => Date.now() + ms });
    expect(await sweep(2 * NAR_GRACE_MS - 60_000)).toMatchObject({ deletedNars: 0 });
    expect(await sweep(2 * NAR_GRACE_MS + 60_000)).toMatchObject({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
  });

  it("wakes the sweep", async () => {
    await env.BUCKET.put(nar, "of nobody");
    await inCatalog(({ sql }) =>
      sql.exec("INSERT INTO nars VALUES (?, 9, NULL, 1, 0, 0, ?)", nar, Date.now() - NAR_GRACE_MS),
    );
    expect(await value(catalog().check({ repair: true }))).toMatchObject({ clean: true });
    await inCatalog((_, { storage }) => storage.setAlarm(Date.now()));
    for (let turn = 0; turn < 100 && (await keys()).length > 0; turn++) await scheduler.wait(20);
    expect(await keys()).toEqual([]);
  });

  it.each<[string, (path: TestPath, c: CatalogContext) => Promise<unknown> | unknown]>([
    ["has been announced again", (path, c) => expectNar(c, { key: path.narKey, size: path.nar.length })],
    ["a pusher has asked for again", (path, c) => narSeen(c, path.narKey)],
    [
      "is being published",
      (path, c) => begin(c, { kind: "publish", key: hashOf(path), nars: [path.narKey], references: [] }),
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
    }, later);
    expect(names).toEqual({});
  });
});

describe("a repair", () => {
  it("takes nothing from under a publication that refers to it", async () => {
    const { library } = await publishClosure();
    await env.BUCKET.delete(library.narKey);
    const report = await inCatalog(async (c) => {
      // Its process is alive: it holds the lock of its path.
      const publication = { kind: "publish", key: "f".repeat(32), references: [hashOf(library)] } as const;
      let finish = () => {};
      void c.locks.run(publication.key, () => new Promise<void>((resolve) => (finish = resolve)));
      begin(c, publication);
      const report = await check(c, { repair: true });
      finish();
      return report;
    });
    expect(report.findings["missing-nar"]).toMatchObject({ count: 1, repaired: 0 });
    expect(await keys()).toContain(library.key);
  });

  it("leaves a damaged NAR that somebody is about to replace", async () => {
    const path = await testPath();
    await publishPath(path);
    await env.BUCKET.put(path.narKey, "cut");
    await scheduler.wait(5);
    await value(catalog().expectNar({ key: path.narKey, size: path.nar.length }));
    await inCatalog((c) => check(c, { repair: true }));
    expect(await keys()).toEqual([path.narKey]);
  });

  it("is asked for anew where a check without one is under way", async () => {
    await inCatalog(async (c) => {
      const broken = {
        ...c,
        bucket: watch(
          c.bucket,
          failing(() => true),
        ).bucket,
      };
      const repairs = async (options: { repair?: boolean }) => {
        await requestRun(broken, "check", options);
        return checkReport(c)?.repair;
      };
      expect(await repairs({})).toBe(false);
      expect(await repairs({ repair: true })).toBe(true);
      expect(await repairs({})).toBe(true);
      expect(await repairs({ repair: false })).toBe(false);
    });
  });

  it.each(["before", "after"] as const)(
    "that dies %s any operation repairs and tells the same",
    async (when) => {
      const { library, app, packed } = await publishClosure();
      const broken = await testPath("broken-1.0");
      const other = await testPath("other-1.0");
      const gone = await compressedPath("gone-1.0");
      await publishPath(gone);
      await storePath(other);
      await env.BUCKET.put(broken.key, "broken");
      await env.BUCKET.put(packed.narKey, "cut");
      await env.BUCKET.delete([library.narKey, gone.key]);
      const { deaths, report } = await inCatalog(async (c) => {
        const small = { ...c, bucket: inSmallPages(c.bucket, 2) };
        await requestRun(
          {
            ...c,
            bucket: watch(
              c.bucket,
              failing(() => true),
            ).bucket,
          },
          "check",
          { repair: true },
        );
        const deaths = await dyingAtEveryOperation(
          small,
          async (alive) => {
            for (let n = 0; n < 20; n++) await continueRuns(alive);
          },
          when,
        );
        return { deaths, report: checkReport(c) };
      });
      expect(deaths).toBeGreaterThan(4);
      expect(report).toMatchObject({ done: true });
      expect(report && namesOf(report)).toEqual({
        "unreadable-narinfo": [hashOf(broken)],
        "unindexed-narinfo": [baseNameOf(other)],
        "vanished-narinfo": [baseNameOf(gone)],
        "missing-nar": [baseNameOf(library)],
        "damaged-nar": [baseNameOf(packed)],
        "vanished-nar": [library.narKey],
        "missing-reference": [baseNameOf(library)],
      });
      expect(await keys()).toEqual([app.key, other.key, app.narKey, other.narKey, gone.narKey].sort());
      expect((await inCatalog(rows)).pending).toEqual([]);
    },
  );
});

describe("what happens during a check", () => {
  const EVENTS: readonly [string, (c: CatalogContext, paths: readonly TestPath[]) => Promise<unknown>][] = [
    [
      "a path is pushed",
      async (c) => {
        const path = await testPath("new-1.0");
        await expectNar(c, { key: path.narKey, size: path.nar.length });
        await c.bucket.put(path.narKey, path.nar);
        await publish(c, path.text, "meanwhile");
      },
    ],
    [
      "a NAR is uploaded",
      async (c) => {
        const path = await testPath("new-1.0");
        await expectNar(c, { key: path.narKey, size: path.nar.length });
        await c.bucket.put(path.narKey, path.nar);
      },
    ],
    [
      "a path is signed",
      (c, [library]) => publish(c, `${library?.text}Sig: s:${new Uint8Array(64).toBase64()}\n`, "meanwhile"),
    ],
    [
      "paths are deleted, and their NARs swept",
      async (c, paths) => {
        for (const path of [...paths].reverse()) await deletePath(c, hashOf(path), false);
        await sweepNars({ ...c, now: () => Date.now() + 1000 }, 0);
      },
    ],
    [
      "a deletion fails, and is finished later",
      async (c, paths) => {
        const { bucket } = watch(
          c.bucket,
          failing(({ name }) => name === "delete"),
        );
        await deletePath({ ...c, bucket }, hashOf(paths.at(-1) as TestPath), false).catch(() => {});
      },
    ],
    [
      "a path is deleted and pushed again",
      async (c, paths) => {
        const path = paths.at(-1) as TestPath;
        await deletePath(c, hashOf(path), false);
        await publish(c, path.text, "meanwhile");
      },
    ],
  ];

  it.each(EVENTS)(
    "is no finding, and not undone by a repair: at any operation %s",
    async (_, event) => {
      for (let at = 0; ; at++) {
        await reset();
        const { all: paths } = await publishClosure();
        // Something to look at closely, for operations besides the listing.
        const odd = await testPath("odd-1.0");
        await storePath(odd);
        const { happened, report, found } = await inCatalog(async (c) => {
          let happening: Promise<unknown> | undefined;
          const after = async ({ number }: Operation) => {
            if (number !== at) return;
            happening = event(c, paths);
            // It may wait for a lock that this very operation's holder has: then it comes right after.
            await Promise.race([happening, scheduler.wait(50)]);
          };
          const { bucket } = watch(inSmallPages(c.bucket, 2), { after });
          const report = await check({ ...c, bucket }, { repair: true });
          await happening;
          await recover(c);
          return { happened: happening !== undefined, report, found: rows(c) };
        });
        expect({ at, names: namesOf(report) }).toEqual({
          at,
          names: { "unindexed-narinfo": [baseNameOf(odd)] },
        });
        const again = await inCatalog(async (c) => ({ report: await check(c), rows: rows(c) }));
        expect({ at, names: namesOf(again.report) }).toEqual({ at, names: {} });
        expect({ at, rows: found }).toEqual({ at, rows: again.rows });
        if (!happened) break;
      }
    },
    60_000,
  );

  it("goes on beside a reindex", async () => {
    for (const path of (await closure()).all) await storePath(path);
    await inCatalog(async (c) => {
      const small = { ...c, bucket: inSmallPages(c.bucket, 1) };
      await Promise.all([check(small), reindex(small)]);
    });
    expect(namesOf(await inCatalog((c) => check(c)))).toEqual({});
  });
});
