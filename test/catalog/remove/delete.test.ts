/** Deletions of one path: what goes, what stays, and what keeps it. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { keys } from "../../support/cache.ts";
import { deleting, publishing, rowsOf, served, storeNar } from "../../support/catalog.ts";
import { baseNameOf, hashOf, publishClosure, publishLayers, purgedWith } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { publishPath, storePath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("a path", () => {
  it("to which nothing refers goes at once; its NAR stays and is released", async () => {
    const { packed } = await publishClosure();
    expect(await deleting(packed)).toMatchObject({
      result: { deleted: [baseNameOf(packed)] },
      operations: [`delete ${packed.key}`],
      purged: [purgedWith(packed)],
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
    const [[path], referrers] = (await publishLayers(2, 1).then(async ([first]) => [
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
