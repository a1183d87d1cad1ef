/** What a collection takes from the bucket and from the catalog, and what it leaves. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { touchPaths } from "../../../src/catalog/publish/last-use.ts";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import { keys } from "../../support/cache.ts";
import { recorded } from "../../support/catalog.ts";
import { publishClosure } from "../../support/closure.ts";
import {
  beginRetention,
  collect,
  collectAfter,
  cronUntil,
  daysLater,
  FORCE,
  MONTH,
  narinfos,
  published,
} from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, HOUR_MS, inCatalog, storePath, value } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("what is removed", () => {
  it("goes level by level, and costs one call of the bucket for each", async () => {
    await publishClosure();
    await beginRetention(MONTH);
    await cronUntil(39);
    const { operations, billed, result } = await recorded((c) => collect(c, FORCE), {}, daysLater(40, MONTH));
    expect(operations.map((operation) => operation.split(" ")[0])).toEqual(["delete", "delete", "delete"]);
    expect(billed).toEqual({ A: 0, B: 0 });
    expect(result).toMatchObject({ spent: { class_a: 0, class_b: 0, deletes: 3 } });
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
    await value(catalog().announceNar({ key: path.narKey, size: path.nar.length }));
    await env.BUCKET.put(path.narKey, path.nar);
    await beginRetention(MONTH);
    expect(await collectAfter(2, MONTH)).toMatchObject({ unpublished_nars: 1, dead: { paths: 0 } });
    await inCatalog((c) => sweepNars(c), daysLater(4, MONTH));
    expect(await keys()).not.toContain(path.narKey);
  });

  it("is only told by a dry run", async () => {
    await publishClosure();
    await published("other-1.0", "other-2.0", "other-3.0", "other-4.0");
    await beginRetention(MONTH);
    await inCatalog(
      (c) =>
        touchPaths(
          c,
          c.sql
            .exec<{ hash: string }>("SELECT hash FROM paths WHERE name LIKE 'other%'")
            .toArray()
            .map(({ hash }) => hash),
        ),
      daysLater(20, MONTH),
    );
    const report = await collectAfter(40, MONTH, { dry_run: true });
    expect(report).toMatchObject({ done: true, dry_run: true, dead: { paths: 3 }, removed: { paths: 0 } });
    expect(report.oldest.map(({ store_path }) => store_path.slice(44)).sort()).toEqual([
      "app-1.0",
      "library-1.0",
      "packed-1.0",
    ]);
    expect(report.stopped).toBeUndefined();
    expect(await narinfos()).toHaveLength(7);
    expect(await collectAfter(40, MONTH)).toMatchObject({ removed: { paths: 3 } });
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
