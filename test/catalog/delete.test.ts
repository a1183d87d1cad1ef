import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { type Deleted, deletePath, sweepNars } from "../../src/catalog/delete.ts";
import { expectNar } from "../../src/catalog/nars.ts";
import { recover } from "../../src/catalog/pending.ts";
import { publish } from "../../src/catalog/publish.ts";
import { parseConfig } from "../../src/config.ts";
import { failing, type Interference, losingAnswers, type Operation } from "../support/bucket.ts";
import { keys } from "../support/cache.ts";
import { publishing, type Recorded, recorded, rowsOf, served, storeNar } from "../support/catalog.ts";
import { baseNameOf, closure, hashOf, publishClosure } from "../support/closure.ts";
import { captureLog } from "../support/log.ts";
import { inCatalog, NAR_GRACE_MS, publishPath, storePath } from "../support/runs.ts";
import { type TestPath, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(() => reset());

const LATER = { now: () => Date.now() + 3600_000 };
const isDelete = ({ name }: { name: string }) => name === "delete";

/** A broken connection: the bucket hears nothing of it, and nobody knows that. */
function lost(when: (operation: Operation) => boolean): Interference {
  return {
    before: (operation) => {
      if (when(operation)) throw new Error("Network connection lost.");
    },
  };
}

function deleting(
  path: TestPath,
  withReferrers = false,
  interference: Interference = {},
): Promise<Recorded<Deleted>> {
  return recorded((c) => deletePath(c, hashOf(path), withReferrers), interference);
}

/** Paths in `levels` of `width`, each referring to all of the level before; the first level comes first. */
async function layers(levels: number, width: number): Promise<TestPath[][]> {
  const result: TestPath[][] = [];
  for (let level = 0; level < levels; level++) {
    const references = (result.at(-1) ?? []).map(baseNameOf);
    const paths = Array.from({ length: width }, (_, n) =>
      testPath(`path-${level}-${n}`, `path ${level} ${n}`, { references }),
    );
    result.push(await Promise.all(paths));
  }
  for (const path of result.flat()) await publishPath(path);
  return result;
}

describe("a path", () => {
  it("to which nothing refers goes at once; its NAR stays and is released", async () => {
    const { packed } = await publishClosure();
    expect(await deleting(packed)).toMatchObject({
      result: { deleted: [baseNameOf(packed)] },
      operations: [`delete ${packed.key}`],
      purged: [[`/${packed.key}`, `/${hashOf(packed)}.ls`]],
    });
    expect(await keys()).not.toContain(packed.key);
    expect(await keys()).toContain(packed.narKey);
    expect(await rowsOf("SELECT key FROM nars WHERE released IS NOT NULL")).toEqual([{ key: packed.narKey }]);
    expect(await rowsOf("SELECT hash FROM paths WHERE hash = ?", hashOf(packed))).toEqual([]);
    expect(await rowsOf("SELECT * FROM refs WHERE referrer = ?", hashOf(packed))).toEqual([]);
    expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
  });

  it("that is not here is a 404, for one operation", async () => {
    expect(await deleting(await testPath())).toMatchObject({
      result: { status: 404, message: expect.stringContaining("in this cache") },
      billed: { A: 0, B: 1 },
    });
  });

  it("that two delete at once is deleted by one of them", async () => {
    const path = await testPath();
    await publishPath(path);
    const results = await Promise.all([deleting(path), deleting(path)]);
    expect(results.map(({ result }) => ("deleted" in result ? 200 : result.status)).sort()).toEqual([
      200, 404,
    ]);
  });

  it("that only the bucket knows goes", async () => {
    const path = await testPath();
    await storePath(path);
    expect(await deleting(path)).toMatchObject({ result: { deleted: [baseNameOf(path)] } });
    expect(await keys()).toEqual([path.narKey]);
  });

  it("that refers to itself only goes", async () => {
    const path = await testPath();
    await publishPath(path);
    expect(await deleting(path)).toMatchObject({ result: { deleted: [baseNameOf(path)] } });
  });

  it("stays while others refer to it, and the first of them are named", async () => {
    const [[path], referrers] = (await layers(2, 1).then(async ([first]) => [
      first,
      await Promise.all(
        [1, 2, 3, 4, 5, 6].map((n) =>
          testPath(`user-${n}`, `user ${n}`, { references: first?.map(baseNameOf) ?? [] }),
        ),
      ),
    ])) as [[TestPath], TestPath[]];
    for (const referrer of referrers) await publishPath(referrer);
    const { result, operations } = await deleting(path);
    expect(result).toMatchObject({
      status: 409,
      message: expect.stringMatching(
        /^\S+-path-0-0 is referred to by (\S+-\S+, ){4}\S+-\S+ and more; delete those first, or all with \?closure=referrers$/,
      ),
    });
    expect(operations).toEqual([]);
    expect(await served(path)).toBe(path.text);
  });

  it("takes what is known of its other builds along", async () => {
    const path = await testPath();
    await publishPath(path);
    const other = await testPath("hello-1.0", "other");
    await storeNar(other);
    await publishing(other.text);
    await deleting(path);
    expect(await rowsOf("SELECT * FROM differing_builds")).toEqual([]);
    expect(await publishing(other.text)).toMatchObject({ result: "created" });
  });
});

describe("a closure of referrers", () => {
  it("goes level by level, one bucket operation and one purge for each", async () => {
    const [bottom, middle, top] = (await layers(3, 4)) as [TestPath[], TestPath[], TestPath[]];
    const [path] = bottom as [TestPath];
    const { result, operations, purged } = await deleting(path, true);
    const { deleted } = result as Deleted;
    expect(deleted.length).toBe(9);
    expect(new Set(deleted.slice(0, 4))).toEqual(new Set(top.map(baseNameOf)));
    expect(new Set(deleted.slice(4, 8))).toEqual(new Set(middle.map(baseNameOf)));
    expect(deleted[8]).toBe(baseNameOf(path));
    expect(operations.length).toBe(3);
    // Each with its listing.
    expect(purged.map((paths) => paths.length)).toEqual([8, 8, 2]);
    const left = (await keys()).filter((key) => key.endsWith(".narinfo"));
    expect(left).toEqual(
      bottom
        .slice(1)
        .map(({ key }) => key)
        .sort(),
    );
  });

  it("is deleted in an order that leaves every closure whole, wherever it dies", async () => {
    const paths = (await layers(4, 2)).flat();
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
    await recorded((c) => recover(c));
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
    await deleting(app, false, lost(isDelete));
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
        before: ({ name }) => {
          if (name === "head") deletion = deletePath(c, hashOf(library), true);
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

describe("a deletion that was interrupted", () => {
  it.each([
    ["failed", failing],
    ["got no answer", losingAnswers],
  ] as const)(
    "because it %s has happened for the catalog, and is finished later",
    async (_, interference) => {
      const { packed } = await publishClosure();
      expect((await deleting(packed, false, interference(isDelete))).result).toMatchObject({ status: 503 });
      expect(await rowsOf("SELECT * FROM paths WHERE hash = ?", hashOf(packed))).toEqual([]);
      const { purged } = await recorded((c) => recover(c), {}, LATER);
      expect(purged).toEqual([[`/${packed.key}`, `/${hashOf(packed)}.ls`]]);
      expect(await served(packed)).toBeUndefined();
      expect(await rowsOf("SELECT * FROM pending")).toEqual([]);
    },
  );

  it("is finished, and all that it could still do awaited, before the path is published again", async () => {
    const { packed } = await publishClosure();
    await deleting(packed, false, losingAnswers(isDelete));
    const { result, operations, waited } = await publishing(packed.text);
    expect(result).toBe("created");
    expect(operations[0]).toBe(`delete ${packed.key}`);
    expect(waited).toEqual([expect.closeTo(30_000, -3)]);
    expect(await served(packed)).toBe(packed.text);
  });

  it("is finished at once where the bucket has said that it failed", async () => {
    const { packed } = await publishClosure();
    await deleting(packed, false, failing(isDelete));
    const { result, operations, waited } = await publishing(packed.text);
    expect(result).toBe("created");
    expect(operations[0]).toBe(`delete ${packed.key}`);
    expect(waited).toEqual([]);
  });

  it.each([
    ["failed", failing(isDelete)],
    ["never arrived", lost(isDelete)],
  ])("because it %s does not let others refer to the path any more", async (_, interference) => {
    const { library, app } = await closure();
    await publishPath(library);
    await deleting(library, false, interference);
    expect(await served(library)).toBe(library.text);
    await storeNar(app);
    expect((await publishing(app.text)).result).toMatchObject({ status: 409 });
    expect((await deleting(library)).result).toMatchObject({ status: 404 });
  });

  it("keeps the NAR until its grace period has passed after the narinfo has really gone", async () => {
    const path = await testPath();
    await publishPath(path);
    await deleting(
      path,
      false,
      failing((operation) => isDelete(operation)),
    );
    const day = { now: () => Date.now() + 2 * NAR_GRACE_MS };
    // As long as the narinfo cannot be deleted, its NAR is not.
    const broken = failing((operation) => isDelete(operation) && operation.key === path.key);
    expect((await recorded((c) => sweepNars(c), broken, day)).result).toMatchObject({ deletedNars: 0 });
    expect(await keys()).toEqual([path.key, path.narKey]);
    expect((await recorded((c) => sweepNars(c), {}, day)).result).toMatchObject({ deletedNars: 0 });
    expect(await keys()).toEqual([path.narKey]);
    const laterStill = { now: () => Date.now() + 3 * NAR_GRACE_MS + 1000 };
    expect((await recorded((c) => sweepNars(c), {}, laterStill)).result).toMatchObject({ deletedNars: 1 });
    expect(await keys()).toEqual([]);
  });
});

describe("what happens while a path is looked for in the bucket", () => {
  it("and deleted: it is not taken for one that is here", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    await deleting(library, false, failing(isDelete));
    // The deletion is settled while the narinfo, read just before, is on its way.
    const { result } = await recorded((c) =>
      publishing(app.text, {
        after: async ({ name, key }) => {
          if (name === "get" && key === library.key) await recover(c);
        },
      }).then(({ result }) => result),
    );
    expect(result).toMatchObject({ status: 409 });
    expect(await rowsOf("SELECT * FROM paths")).toEqual([]);
  });

  it("and found, while a deletion comes to its end: it is not taken for one that is here", async () => {
    const { library, app } = await closure();
    await publishPath(library);
    await storeNar(app);
    const [isRead, isDeleted] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let publication: Promise<Recorded<string>> | undefined;
    await deleting(library, false, {
      before: async (operation) => {
        if (!isDelete(operation)) return;
        publication = publishing(app.text, {
          after: async ({ name, key }) => {
            if (name !== "get" || key !== library.key) return;
            isRead.resolve();
            await isDeleted.promise;
          },
        });
        await isRead.promise;
      },
    });
    isDeleted.resolve();
    expect(await publication).toMatchObject({ result: { status: 409 } });
    expect(await rowsOf("SELECT * FROM paths")).toEqual([]);
  });

  it("and published anew: what was read does not replace what is newer", async () => {
    const { library, app } = await closure();
    await env.BUCKET.put(library.key, library.text);
    for (const path of [library, app]) await storeNar(path);
    await env.BUCKET.delete(library.narKey);
    const healed = await testPath("library-1.0", "another build");
    await inCatalog((c) => expectNar(c, { key: healed.narKey, size: healed.nar.length }));
    await storeNar(healed);
    await recorded((c) =>
      publishing(app.text, {
        after: async ({ name, key }) => {
          if (name === "get" && key === library.key) await publish(c, healed.text, "tester");
        },
      }).then(({ result }) => expect(result).toBe("created")),
    );
    expect(await rowsOf("SELECT nar FROM paths WHERE hash = ?", hashOf(library))).toEqual([
      { nar: healed.narKey },
    ]);
    expect(await rowsOf("SELECT released FROM nars WHERE key = ?", healed.narKey)).toEqual([
      { released: null },
    ]);
  });
});
