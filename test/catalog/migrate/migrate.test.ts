/** The migration of a catalog of an earlier version, whose rows move in steps while it serves and publishes. */
// @module-tag slow
import { evictDurableObject, reset, runDurableObjectAlarm } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { Locks } from "../../../src/catalog/locks.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { MIGRATE, resumeMigration } from "../../../src/catalog/migrate/migrate.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { deletePathRow } from "../../../src/catalog/rows/index-path.ts";
import { hasOldTables } from "../../../src/catalog/rows/old-layout.ts";
import { missingPaths, pathRow } from "../../../src/catalog/rows/paths.ts";
import { referencesOf } from "../../../src/catalog/rows/references.ts";
import { migrate } from "../../../src/catalog/schema.ts";
import { PUSH_TOKEN } from "../../support/cache.ts";
import { rowsOf, storeNar } from "../../support/catalog.ts";
import { baseNameOf, hashOf, publishClosure } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { makeOlder, makeTablesOlder, schemaOf } from "../../support/older-catalog.ts";
import { OLD_VERSIONS } from "../../support/released-schemas.ts";
import { catalog, inCatalog, publishPath, reindex, value } from "../../support/runs.ts";
import { pathOfNar, type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

/** More than the object moves before its first request, and than one alarm moves. */
const MANY = 9000;

const isMoving = () => inCatalog((c) => c.migration.isMoving);
const allPaths = () => rowsOf("SELECT * FROM paths ORDER BY hash");

/** A path that is new, and refers to old ones. */
function newcomer(n: number, references: readonly TestPath[]): Promise<TestPath> {
  return testPath(`newcomer-${n}`, `newcomer ${n}`, { references: references.map(baseNameOf) });
}

describe.each(OLD_VERSIONS)("a catalog of version %i", (version) => {
  it("publishes while its rows move, though it is evicted after every alarm", async () => {
    const { library, all } = await publishClosure();
    await inCatalog((c) => reindex(c));
    const fresh = await inCatalog(({ sql }) => schemaOf(sql));
    const before = await makeOlder(version, MANY);
    const added: TestPath[] = [];
    let alarms = 0;
    for (; await isMoving(); alarms++) {
      const path = await newcomer(alarms, all);
      await publishPath(path);
      added.push(path);
      expect(await value(catalog().missing([...all, path].map(hashOf)))).toEqual([]);
      await runDurableObjectAlarm(catalog());
      await evictDurableObject(catalog());
    }
    expect(alarms).toBeGreaterThan(0);
    while (await runDurableObjectAlarm(catalog())) {}
    expect(await inCatalog(({ sql }) => schemaOf(sql))).toEqual(fresh);
    const names = added.map(hashOf);
    const kept = (await allPaths()).filter(({ hash }) => !names.includes(String(hash)));
    expect(kept).toMatchObject(before);
    const newRows = (await allPaths()).filter(({ hash }) => names.includes(String(hash)));
    expect(newRows.map(({ incomplete }) => incomplete)).toEqual(added.map(() => 0));
    const referrers = await rowsOf("SELECT referrer FROM refs WHERE reference = ?", hashOf(library));
    expect(referrers).toHaveLength(2 + added.length);
    expect(await rowsOf("SELECT count(*) AS count FROM refs WHERE referrer < '1'")).toEqual([
      { count: MANY - 1 },
    ]);
    expect(await rowsOf("SELECT key FROM nars WHERE released IS NOT NULL")).toEqual([]);
  });

  it("comes to the same end if it crashes in every step, and publishes after every crash", async () => {
    const { library, app, all } = await publishClosure();
    await inCatalog((c) => reindex(c));
    const rebuilt = await testPath("app-1.0", "app", { references: [baseNameOf(library)], signatures: [] });
    const added = await Promise.all(Array.from({ length: 12 }, (_, n) => newcomer(n, all)));
    for (const path of [...added, rebuilt]) await storeNar(path);
    await inCatalog(async (c, { storage }) => {
      const fresh = schemaOf(c.sql);
      const before = makeTablesOlder(storage, version, 700);
      migrate(storage);
      resumeMigration({ ...c, migration: { isMoving: false } }, 0);
      let steps = 0;
      for (; ; steps++) {
        const crashing: CatalogContext = {
          ...c,
          migration: { isMoving: false },
          transaction: (run) =>
            storage.transactionSync(() => {
              run();
              throw new Error("crash");
            }),
        };
        if (!hasOldTables(c)) break;
        resumeMigration(crashing, 1);
        const restarted: CatalogContext = { ...c, migration: { isMoving: false }, locks: new Locks() };
        resumeMigration(restarted, 0);
        expect(await publish(restarted, added[steps]?.text ?? "", PUSH_TOKEN)).toBe("created");
        expect(await publish(restarted, rebuilt.text, PUSH_TOKEN)).toBe("unchanged");
        expect(missingPaths(restarted, all.map(hashOf))).toEqual([]);
        await MIGRATE.load(restarted)?.step(restarted);
      }
      expect(steps).toBeGreaterThan(3);
      expect(MIGRATE.status(c)).toMatchObject({ done: true });
      expect(schemaOf(c.sql)).toEqual(fresh);
      const names = added.map(hashOf);
      const after = c.sql.exec("SELECT * FROM paths ORDER BY hash").toArray();
      const kept = after.filter(({ hash }) => !names.includes(String(hash)));
      // What a push of the same path changes.
      const expected = before.map(({ last_push, wanted, etag, ...row }) => row);
      expect(kept).toMatchObject(expected);
      const narKeys = c.sql.exec("SELECT key FROM nars ORDER BY key").toArray();
      expect(narKeys).toHaveLength(700 + all.length + steps);
      expect(referencesOf(c, hashOf(app))).toEqual([hashOf(library)]);
    });
  });
});

describe("while rows move", () => {
  it("what needs all rows is refused with 503, and works afterwards", async () => {
    const { packed, library } = await publishClosure();
    await inCatalog((c) => reindex(c));
    await makeOlder(6, MANY);
    const requests = () => [
      catalog().listPaths({ limit: 10 }),
      catalog().pathDetail(hashOf(library)),
      catalog().stats(),
      catalog().deletePath(hashOf(packed), false),
      catalog().gc({}),
      catalog().check({}),
    ];
    for (const answer of await Promise.all(requests().slice(0, 5))) {
      expect(answer).toMatchObject({ ok: false, refusal: { kind: "being-migrated" } });
    }
    while (await isMoving()) await runDurableObjectAlarm(catalog());
    for (const answer of await Promise.all(requests())) expect(answer).toMatchObject({ ok: true });
  });

  it("a path that goes does not come back, and a NAR that an old path has is not released", async () => {
    const { library } = await publishClosure();
    // Another path with the same NAR.
    const twin = await pathOfNar(library.nar, `${"9".repeat(32)}-twin`);
    await publishPath(twin);
    await inCatalog((c) => reindex(c));
    await inCatalog(async (c, { storage }) => {
      makeTablesOlder(storage, 6, 0);
      migrate(storage);
      const moving: CatalogContext = { ...c, migration: { isMoving: false } };
      resumeMigration(moving, 0);
      moving.transaction(() => deletePathRow(moving, hashOf(library)));
      while (resumeMigration(moving, 1)) {}
      expect(pathRow(c, hashOf(library))).toBeUndefined();
      expect(pathRow(c, hashOf(twin))).toBeDefined();
      const nar = c.sql.exec("SELECT released FROM nars WHERE key = ?", library.narKey).toArray();
      expect(nar).toEqual([{ released: null }]);
    });
  });

  it("the first request to a catalog of many rows waits for a bounded number of them", async () => {
    await inCatalog((c) => reindex(c));
    const costs: number[] = [];
    for (const count of [20_000, 40_000]) {
      await inCatalog((c, { storage }) => {
        makeTablesOlder(storage, 5, count);
        const { context, spent } = metered({ ...c, migration: { isMoving: false } });
        migrate({ ...storage, sql: context.sql, transactionSync: (run) => storage.transactionSync(run) });
        resumeMigration(context);
        const { rows_read, rows_written } = spent();
        costs.push(rows_read + rows_written);
        while (resumeMigration({ ...c, migration: { isMoving: false } })) {}
        for (const table of ["paths", "refs", "nars"]) c.sql.exec(`DELETE FROM ${table}`);
      });
    }
    expect(Math.abs((costs[1] ?? 0) - (costs[0] ?? 0))).toBeLessThan(1000);
  });
});
