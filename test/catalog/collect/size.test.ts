// max_size_gb: the oldest roots go until what is left fits.
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { touchPaths } from "../../../src/catalog/publish/last-use.ts";
import { hashOf } from "../../support/closure.ts";
import {
  beginRetention,
  collectAfter,
  daysLater,
  FORCE,
  narinfos,
  pinPath,
} from "../../support/collecting.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog, publishPath } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => reset());

describe("max_size_gb", () => {
  /** Three paths of 1,000 bytes, pushed on three days, the first one wanted again. */
  async function threeOf1000(): Promise<TestPath[]> {
    const paths = await Promise.all(["a", "b", "c"].map((name) => testPath(name, name.repeat(1000))));
    for (const path of paths) await publishPath(path);
    await beginRetention({ max_size_gb: 1 });
    for (const [day, path] of [
      [1, paths[1]],
      [2, paths[2]],
      [3, paths[0]],
    ] as const) {
      await inCatalog((c) => touchPaths(c, [hashOf(path as TestPath)]), daysLater(day, { max_size_gb: 1 }));
    }
    return paths;
  }

  it.each([
    [3000, 3],
    [2999, 2],
    [2000, 2],
    [1999, 1],
    [1, 0],
  ])("of %i bytes leaves %i of three paths of 1,000, the newest", async (bytes, left) => {
    const [a, b, c] = (await threeOf1000()) as [TestPath, TestPath, TestPath];
    const report = await collectAfter(10, { max_size_gb: bytes / 1e9 }, FORCE);
    expect(report).toMatchObject({
      dead: { expired: 0, too_large: 3 - left },
      alive: { bytes: left * 1000 },
    });
    expect(await narinfos()).toEqual(
      [a, c, b]
        .slice(0, left)
        .map(({ key }) => key)
        .sort(),
    );
  });

  it("spares what was wanted within the grace period, whatever the size", async () => {
    await threeOf1000();
    expect(await collectAfter(4, { max_size_gb: 1e-9 }, FORCE)).toMatchObject({ removed: { paths: 2 } });
  });

  it("counts a NAR of several paths once", async () => {
    const one = await testPath("one", "x".repeat(1000));
    const two = await testPath("two", "x".repeat(1000));
    for (const path of [one, two]) await publishPath(path);
    await beginRetention({ max_size_gb: 1 });
    expect(await collectAfter(10, { max_size_gb: 1e-6 }, FORCE)).toMatchObject({
      bytes: 1000,
      dead: { paths: 0 },
    });
    expect(await collectAfter(10, { max_size_gb: 0.9e-6 }, FORCE)).toMatchObject({
      dead: { paths: 2, bytes: 1000 },
    });
  });

  it("never drops what is pinned", async () => {
    const [, b] = (await threeOf1000()) as [TestPath, TestPath];
    await pinPath("b", b);
    await collectAfter(10, { max_size_gb: 1e-9 }, FORCE);
    expect(await narinfos()).toEqual([b.key]);
  });
});
