/** Deletions of a path with all that refers to it: at every moment every closure that is served is whole. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { Deleted } from "../../../src/contract/paths.ts";
import { failing, isDelete, isInspection, losingRequests } from "../../support/bucket.ts";
import { keys } from "../../support/cache.ts";
import { deleting, publishing, recorded, served, storeNar } from "../../support/catalog.ts";
import { baseNameOf, closure, hashOf, publishLayers, purgedWith } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { publishPath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a closure of referrers", () => {
  it("goes level by level, one bucket operation and one purge for each", async () => {
    const [bottom, middle, top] = (await publishLayers(3, 4)) as [TestPath[], TestPath[], TestPath[]];
    const [path] = bottom as [TestPath];
    const { result, operations, purged } = await deleting(path, true);
    const { deleted } = result as Deleted;
    expect(deleted.length).toBe(9);
    expect(new Set(deleted.slice(0, 4))).toEqual(new Set(top.map(baseNameOf)));
    expect(new Set(deleted.slice(4, 8))).toEqual(new Set(middle.map(baseNameOf)));
    expect(deleted[8]).toBe(baseNameOf(path));
    expect(operations.length).toBe(3);
    const pathsOf = (level: TestPath[]) => new Set(level.flatMap(purgedWith));
    expect(purged.map((paths) => new Set(paths))).toEqual([top, middle, [path]].map(pathsOf));
    const left = (await keys()).filter((key) => key.endsWith(".narinfo"));
    expect(left).toEqual(
      bottom
        .slice(1)
        .map(({ key }) => key)
        .sort(),
    );
  });

  it("is deleted in an order that leaves every closure whole, wherever it dies", async () => {
    const paths = (await publishLayers(4, 2)).flat();
    const bottom = paths[0] as TestPath;
    for (let alive = 0; alive < 4; alive++) {
      let deletions = 0;
      await deleting(
        bottom,
        true,
        failing((operation) => isDelete(operation) && deletions++ >= alive),
      );
      const left = await keys();
      for (const path of paths.filter(({ key }) => left.includes(key))) {
        for (const reference of path.info.references)
          expect(left).toContain(`${reference.slice(0, 32)}.narinfo`);
      }
    }
    await recorded((c) => resolveExpired(c));
    await deleting(bottom, true);
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([paths[1]?.key]);
  });

  it("takes along what is published while it goes", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await publishPath(path);
    const late = await testPath("late-1.0", "late", { references: [baseNameOf(library)] });
    await storeNar(late);
    let isPublished = false;
    const { result } = await recorded((c) =>
      deleting(library, true, {
        before: async (operation) => {
          if (!isDelete(operation) || isPublished) return;
          isPublished = true;
          await publish(c, late.text, "tester");
        },
      }).then(({ result }) => result),
    );
    expect(result).toEqual({ deleted: [baseNameOf(app), baseNameOf(late), baseNameOf(library)] });
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
  });

  it("waits until the narinfo of a referrer that is being deleted has gone", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await publishPath(path);
    let second: Promise<unknown> = Promise.resolve();
    let whole: unknown;
    await recorded((c) =>
      deleting(app, false, {
        before: async (operation) => {
          if (!isDelete(operation)) return;
          second = deletePath(c, hashOf(library), false);
          await Promise.race([second, scheduler.wait(50)]);
          whole = await served(library);
        },
      }),
    );
    expect(whole).toBe(library.text);
    expect(await second).toEqual({ deleted: [baseNameOf(library)] });
  });

  it("waits until the narinfo of a referrer has gone whose deletion was interrupted", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await publishPath(path);
    await deleting(app, false, losingRequests(isDelete));
    const { operations, waited } = await deleting(library);
    expect(operations).toEqual([`delete ${app.key}`, `delete ${library.key}`]);
    expect(waited).toEqual([expect.closeTo(30_000, -3)]);
  });

  it("waits for a publication of one of its paths", async () => {
    const { library, app } = await closure();
    for (const path of [library, app]) await publishPath(path);
    let deletion: Promise<unknown> = Promise.resolve();
    await recorded(async (c) => {
      await publishing(app.text, {
        before: (operation) => {
          if (isInspection(operation)) deletion = deletePath(c, hashOf(library), true);
        },
      });
      expect(await deletion).toEqual({ deleted: [baseNameOf(app), baseNameOf(library)] });
    });
    expect(await served(app)).toBeUndefined();
  });

  it("goes even where paths refer to each other, as a lying client can make them in an open cache", async () => {
    const config = parseConfig({ CACHES: { "nix-cache": { open: true } } } as never);
    const one = await testPath("one");
    const two = await testPath("two", "two", { references: [baseNameOf(one)] });
    const three = await testPath("three", "three", { references: [baseNameOf(two)] });
    const circular = await testPath("one", "one", { references: [baseNameOf(three)] });
    for (const path of [circular, two, three]) {
      await storeNar(path);
      expect(await publishing(path.text, {}, { config })).toMatchObject({ result: "created" });
    }
    expect((await deleting(one)).result).toMatchObject({ status: 409 });
    const { deleted } = (await deleting(one, true)).result as Deleted;
    expect(new Set(deleted)).toEqual(new Set([one, two, three].map(baseNameOf)));
    expect((await keys()).filter((key) => key.endsWith(".narinfo"))).toEqual([]);
  });
});
