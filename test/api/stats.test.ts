/** The numbers of a cache: its size and its growth. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { Stats } from "../../src/contract/stats.ts";
import { recount } from "../support/figures.ts";
import { NAR_FRAME_BYTES } from "../support/nar.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, inCatalog } from "./api.ts";
import { pushRealClosure } from "./real-closure.ts";

afterEach(() => reset());

const DAY_MS = 24 * 3600 * 1000;
const NOTHING = { paths: 0, nar_size: 0, file_size: 0 };

describe("GET /api/v1/stats", () => {
  it("is all zeros in an empty cache", async () => {
    const stats = await ask<Stats>(apiCache(), "GET", "/stats");
    expect(stats).toMatchObject({
      paths: 0,
      nars: 0,
      nar_size: 0,
      stored_size: 0,
      by_compression: [],
      largest: [],
      verification: {
        ...{ verified: 0, waiting: 0, unverifiable: 0, unknown: 0 },
        false_narinfos: { count: 0, repaired: 0, first: [] },
      },
    });
    expect(stats.growth).toHaveLength(30);
    expect(stats.growth.every(({ paths }) => paths === 0)).toBe(true);
  });

  it("counts what Nix pushed", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const plain = await testPath("plain-1", "n".repeat(5000 - NAR_FRAME_BYTES));
    await push(cache, plain);
    const stats = await ask<Stats>(cache, "GET", "/stats");
    const xz = { paths: 4, nar_size: 576 + 464 + 176 + 1424, file_size: 268 + 180 + 180 + 292 };
    expect(stats).toMatchObject({
      paths: 5,
      nar_size: xz.nar_size + 5000,
      nars: 5,
      stored_size: xz.file_size + 5000,
      by_compression: [
        { compression: "none", paths: 1, nar_size: 5000, file_size: 5000 },
        { compression: "xz", ...xz },
      ],
      verification: { verified: 5, waiting: 0, unverifiable: 0, unknown: 0 },
    });
    expect(stats.growth.at(-1)).toEqual({
      day: new Date().toISOString().slice(0, 10),
      paths: 5,
      nar_size: xz.nar_size + 5000,
      file_size: xz.file_size + 5000,
    });
    expect(stats.largest.map(({ name }) => name).slice(0, 3)).toEqual(["plain-1", "vectree", "demo-app-1.0"]);
    expect(stats.catalog_size).toBeGreaterThan(10_000);
  });

  it("counts a NAR once that two paths share, and none that is not published", async () => {
    const cache = apiCache();
    const one = await testPath("one-1", "the same");
    await push(cache, one);
    await push(cache, await testPath("two-1", "the same"));
    const { nar, narKey } = await compressedPath("never-published");
    await cache.put(`/${narKey}`, nar);
    const size = one.nar.length;
    expect(await ask<Stats>(cache, "GET", "/stats")).toMatchObject({
      paths: 2,
      nars: 1,
      stored_size: size,
      nar_size: 2 * size,
    });
  });

  it("names the ten largest", async () => {
    const cache = apiCache();
    for (let size = 1; size <= 12; size++)
      await push(cache, await testPath(`size-${size}`, "n".repeat(8 * size)));
    const { largest } = await ask<Stats>(cache, "GET", "/stats");
    expect(largest.map(({ name }) => Number(name.slice("size-".length)))).toEqual([
      12, 11, 10, 9, 8, 7, 6, 5, 4, 3,
    ]);
  });
});

describe("the growth", () => {
  it("begins 29 days ago, ends today and leaves no day out", async () => {
    const cache = apiCache();
    const midnight = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const size = (index: number) => NAR_FRAME_BYTES + 8 * 10 ** index;
    const firstPushes = [midnight, midnight - 1, midnight - 29 * DAY_MS, midnight - 29 * DAY_MS - 1];
    for (const [index, firstPush] of firstPushes.entries()) {
      await push(cache, await testPath(`p-${index}`, "n".repeat(8 * 10 ** index)));
      await inCatalog(({ sql }) =>
        sql.exec("UPDATE paths SET first_push = ? WHERE name = ?", firstPush, `p-${index}`),
      );
    }
    await inCatalog(recount);
    const { growth, paths } = await ask<Stats>(cache, "GET", "/stats");
    expect(paths).toBe(4);
    expect(growth).toEqual(
      Array.from({ length: 30 }, (_, index) => ({
        day: new Date(midnight - (29 - index) * DAY_MS).toISOString().slice(0, 10),
        ...(index === 29
          ? { paths: 1, nar_size: size(0), file_size: size(0) }
          : index === 28
            ? { paths: 1, nar_size: size(1), file_size: size(1) }
            : index === 0
              ? { paths: 1, nar_size: size(2), file_size: size(2) }
              : NOTHING),
      })),
    );
  });
});
