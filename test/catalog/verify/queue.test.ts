// The queue of NARs to be read: which one is read when, and what becomes of the paths.
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { publish } from "../../../src/catalog/publish/publish.ts";
import { factsOf } from "../../../src/catalog/rows/nar-facts.ts";
import { beginAttempt, newestQueued } from "../../../src/catalog/rows/nar-queue.ts";
import { verifyQueued } from "../../../src/catalog/verify/queue.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { PathDetail } from "../../../src/contract/paths.ts";
import type { Stats } from "../../../src/contract/stats.ts";
import { watch } from "../../support/bucket.ts";
import { ADMIN_TOKEN, cacheWith, reindex, type TestCache } from "../../support/cache.ts";
import { dyingAtEveryOperation, withoutBucket } from "../../support/dying.ts";
import { largePath, withNarOf } from "../../support/lies.ts";
import { captureLog } from "../../support/log.ts";
import { inCatalog } from "../../support/runs.ts";
import { compressedPath, push, sha256, type TestPath } from "../../support/store-paths.ts";
import { QUIET, verifyAll } from "../../support/verifying.ts";

captureLog();
afterEach(reset);

async function detail(cache: TestCache, path: TestPath): Promise<PathDetail> {
  return JSON.parse((await cache.get(`/api/v1/paths/${path.key.slice(0, 32)}`)).text) as PathDetail;
}

async function stats(cache: TestCache): Promise<Stats["verification"]> {
  const answer = await cache.get("/api/v1/stats", { Authorization: `Bearer ${ADMIN_TOKEN}` });
  return (JSON.parse(answer.text) as Stats).verification;
}

describe("a large NAR", () => {
  it("waits, and is verified by an alarm", async () => {
    const cache = cacheWith();
    const path = await largePath("a");
    expect((await push(cache, path)).status).toBe(201);
    expect((await detail(cache, path)).verification).toEqual({ state: "waiting" });
    await verifyAll();
    expect((await detail(cache, path)).verification).toEqual({ state: "verified" });
  });

  it("that is false: the narinfo and the NAR are gone, the pusher is named, the same file is refused at once", async () => {
    const cache = cacheWith({ ADMIN_TOKEN });
    const path = await largePath("a");
    const lie = withNarOf(path, await largePath("b"));
    expect((await push(cache, lie)).status).toBe(201);
    await verifyAll();
    expect((await cache.get(`/${path.key}`)).status).toBe(404);
    expect(await env.BUCKET.head(lie.narKey)).toBeNull();
    expect(cache.catalog.purged).toContain(`/${path.key}`);
    const { false_narinfos } = await stats(cache);
    expect(false_narinfos).toMatchObject({
      count: 1,
      first: [
        { name: path.info.storePath.baseName, detail: expect.stringMatching(/pushed by PUSH_TOKEN at 20/) },
      ],
    });

    const again = await push(cache, lie);
    expect(again).toMatchObject({ status: 400, text: expect.stringContaining(lie.narKey) });
    expect(again.text).toMatch(/contains a NAR with sha256:\w{52} and \d+ bytes, not with sha256:\w{52}/);
    expect((await push(cache, path)).status).toBe(201);
    await verifyAll();
    expect((await detail(cache, path)).verification).toEqual({ state: "verified" });
  });

  it("that is false stays while another path has it and is right about it", async () => {
    const cache = cacheWith();
    const [path, honest] = [await largePath("a"), await largePath("b")];
    await push(cache, honest);
    await push(cache, withNarOf(path, honest));
    await verifyAll();
    expect((await cache.get(`/${path.key}`)).status).toBe(404);
    expect((await cache.get(`/${honest.key}`)).status).toBe(200);
    expect((await cache.get(`/${honest.narKey}`)).status).toBe(200);
  });

  it("that is false, of a path that a reindex has found: it is gone once somebody pushes it again", async () => {
    const lie = withNarOf(await compressedPath("a"), await compressedPath("b"));
    await env.BUCKET.put(lie.narKey, lie.nar);
    await env.BUCKET.put(lie.key, lie.text);
    await reindex();
    const cache = cacheWith();
    expect(await push(cache, lie)).toMatchObject({ status: 400 });
    await verifyAll();
    expect((await cache.get(`/${lie.key}`)).status).toBe(404);
  });

  it("is read once: pushing its path again costs no reading", async () => {
    const cache = cacheWith();
    const path = await largePath("a");
    await push(cache, path);
    await verifyAll();
    await push(cache, path);
    expect(await inCatalog(newestQueued)).toBeUndefined();
  });
});

describe("two pushes of one path that contradict each other", () => {
  it.each([
    ["the same NarHash in another NAR", (path: TestPath, other: TestPath) => withNarOf(path, other)],
    [
      "another NarHash",
      (path: TestPath, other: TestPath) => {
        const { narHash } = other.info;
        const text = path.text.replace(/^NarHash: .*$/m, other.text.match(/^NarHash: .*$/m)?.[0] ?? "");
        return { ...path, info: { ...path.info, narHash }, text };
      },
    ],
  ])("%s: the false one that came first is replaced at once", async (_, lieOf) => {
    const cache = cacheWith();
    const path = await largePath("a");
    const lie = lieOf(path, await largePath("b"));
    expect((await push(cache, lie)).status).toBe(201);
    const answer = await push(cache, path);
    expect(answer).toMatchObject({ status: 200 });
    await verifyAll();
    const { text } = await cache.get(`/${path.key}`);
    expect(text).toContain(`NarHash: ${path.text.match(/^NarHash: (.*)$/m)?.[1]}\n`);
    expect(text).toContain(`URL: ${path.narKey}\n`);
  });

  it("the honest one that came first stays", async () => {
    const cache = cacheWith();
    const path = await largePath("a");
    await push(cache, path);
    const lie = withNarOf(path, await largePath("b"));
    expect((await push(cache, lie)).status).toBe(200);
    expect((await cache.get(`/${path.key}`)).text).toContain(`URL: ${path.narKey}\n`);
  });
});

describe("the order", () => {
  it("is that of the pushes, the newest first", async () => {
    const cache = cacheWith();
    const paths = [await largePath("a"), await largePath("b"), await largePath("c")];
    for (const path of paths) await push(cache, path);
    const order: string[] = [];
    await inCatalog(async (c) => {
      for (let next = newestQueued(c); next !== undefined; next = newestQueued(c)) {
        order.push(next.key);
        c.sql.exec("UPDATE nars SET queued = NULL WHERE key = ?", next.key);
      }
    });
    expect(order).toEqual(paths.map(({ narKey }) => narKey).reverse());
  });

  it("leaves a push that goes on room, for twenty seconds", async () => {
    const cache = cacheWith();
    await push(cache, await largePath("a"));
    const start = Date.now();
    const next = (ms: number, isBusy: boolean) =>
      inCatalog(async (c) => ((await verifyQueued(c)) ?? Number.NaN) - c.now(), {
        now: () => start + ms,
        isBusy: () => isBusy,
      });
    expect(await next(0, false)).toBeGreaterThan(0);
    expect(await next(5000, true)).toBe(1000);
    expect(await inCatalog(newestQueued)).toBeDefined();
    await next(25_000, true);
    expect(await inCatalog(newestQueued)).toBeUndefined();
  });
});

describe("a reading that does not end", () => {
  it("is not tried a third time: the NAR is unverifiable, the path stays, the others are read", async () => {
    const cache = cacheWith();
    const [first, killed] = [await largePath("a"), await largePath("b")];
    await push(cache, first);
    await push(cache, killed);
    await inCatalog((c) => {
      for (let attempt = 0; attempt < 2; attempt++) beginAttempt(c, killed.narKey);
    });
    await verifyAll();
    expect((await detail(cache, killed)).verification).toEqual({
      state: "unverifiable",
      reason: expect.stringContaining("failed to end twice"),
    });
    expect((await detail(cache, first)).verification).toEqual({ state: "verified" });
    expect((await cache.get(`/${killed.key}`)).status).toBe(200);
  });

  it("because the bucket fails is tried again and again", async () => {
    const cache = cacheWith();
    const path = await largePath("a");
    await push(cache, path);
    for (let attempt = 0; attempt < 3; attempt++) {
      await expect(inCatalog((c) => verifyQueued(withoutBucket(c)), QUIET)).rejects.toThrow(/did not answer/);
    }
    await verifyAll();
    expect((await detail(cache, path)).verification).toEqual({ state: "verified" });
  });
});

it.each(["before", "after"] as const)(
  "a crash %s any operation of the bucket leaves nothing half",
  async (when) => {
    const cache = cacheWith();
    const path = await largePath("a");
    const honest = await largePath("c");
    await push(cache, withNarOf(path, await largePath("b")));
    await push(cache, honest);
    await inCatalog(async (c) => {
      const died = await dyingAtEveryOperation(
        { ...c, readings: new Map() },
        async (alive) => {
          for (let alarm = 0; alarm < 5; alarm++) await verifyQueued({ ...alive, readings: new Map() });
        },
        when,
      );
      expect(died).toBeGreaterThan(2);
    }, QUIET);
    expect((await cache.get(`/${path.key}`)).status).toBe(404);
    expect((await detail(cache, honest)).verification).toEqual({ state: "verified" });
  },
);

describe('verify = "before"', () => {
  const strict = { CACHES: { "nix-cache": { verify: "before" } } };

  it("publishes what is true once it is verified", async () => {
    const cache = cacheWith(strict);
    const path = await largePath("a");
    expect((await push(cache, path)).status).toBe(201);
    expect((await detail(cache, path)).verification).toEqual({ state: "verified" });
  });

  it("never serves what is false", async () => {
    const cache = cacheWith(strict);
    const path = await largePath("a");
    expect((await push(cache, withNarOf(path, await largePath("b")))).status).toBe(400);
    expect((await cache.get(`/${path.key}`)).status).toBe(404);
  });

  it("refuses a NAR that is deleted between the look at it and its reading, until it is pushed again", async () => {
    const path = await largePath("a");
    await env.BUCKET.put(path.narKey, path.nar, { sha256: (await sha256(path.nar)).bytes });
    let looks = 0;
    const { bucket } = watch(env.BUCKET, {
      before: async ({ name, key }) => {
        if (key === path.narKey && name === "get" && looks++ > 0) await env.BUCKET.delete(key);
      },
    });
    const refusal = await inCatalog((c) => publish(c, path.text, "tester").catch((error) => error), {
      bucket,
      config: parseConfig(strict as never),
    });
    expect(looks).toBe(2);
    expect(refusal).toMatchObject({ refusal: { kind: "being-verified", nar: path.narKey } });
    const cache = cacheWith(strict);
    expect((await cache.get(`/${path.key}`)).status).toBe(404);
    expect((await push(cache, path)).status).toBe(201);
  });

  it("refuses what cannot be verified", async () => {
    const cache = cacheWith(strict);
    const path = await largePath("a");
    await inCatalog((c) => {
      c.sql.exec(
        "INSERT INTO nars (key, size, is_stored, uploaded, seen, attempts) VALUES (?, 1, 0, 0, 0, 2)",
        path.narKey,
      );
    });
    const answer = await push(cache, path);
    expect(answer).toMatchObject({ status: 400, text: expect.stringContaining("cannot be verified") });
  });
});

it('verify = "off" reads nothing, and still compares what is known', async () => {
  const cache = cacheWith({ CACHES: { "nix-cache": { verify: "off" } } });
  const path = await largePath("a");
  expect((await push(cache, path)).status).toBe(201);
  expect(await inCatalog(newestQueued)).toBeUndefined();
  expect(await inCatalog((c) => factsOf(c, path.narKey))).toBeUndefined();
});
