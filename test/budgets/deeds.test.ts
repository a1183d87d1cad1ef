/** What each action costs with all alarms after it: exactly what deeds.ts says, and so what the page of costs shows. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Deed } from "../../src/page/prices.ts";
import type { TestCache } from "../support/cache.ts";
import { cronUntil, DAY_MS } from "../support/collecting.ts";
import { captureLog } from "../support/log.ts";
import { HOUR_MS } from "../support/runs.ts";
import { compressed, type TestPath, testPath } from "../support/store-paths.ts";
import { createUpstream } from "../support/upstream.ts";
import { api, asAdmin, asPusher, pushAsNix, REFERENCES } from "./asked.ts";
import { each, type Scene, sceneWith, times } from "./deed-scene.ts";
import { DEEDS, type DeedName } from "./deeds.ts";

/** In a path: enough for a NAR of more than 1 KiB, compressed, which is read by an alarm. */
const NUMBERS = 500;
const MANY = 100;
/** Milliseconds that `nix copy` takes for a path of many. */
const PUSH_MS = 100;
const COLLECTING = { CACHES: { "nix-cache": { retention_days: 30 } } };
/** A use is written only if the recorded one is older than half a grace period, 12.5 hours. */
const LATER_MS = 13 * HOUR_MS;

captureLog();
beforeEach(() => {
  // From now on, because R2 has the runtime's clock.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  vi.spyOn(console, "log").mockImplementation(() => undefined);
});
afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

function paths(name: string, count: number, references: readonly TestPath[] = []): Promise<TestPath[]> {
  const path = async (_: unknown, index: number) => {
    const numbers = Array.from({ length: NUMBERS }, (_, n) => Math.imul(n + 1, 0x9e3779b1 ^ index) >>> 0);
    return compressed(
      await testPath(`${name}-${index}`, `${name} ${numbers.join(" ")}`, {
        references: references.map(({ info }) => info.storePath.baseName),
        deriver: `${"0".repeat(32)}-${name}-${index}.drv`,
      }),
    );
  };
  return Promise.all(Array.from({ length: count }, path));
}

const libraries = await paths("library", REFERENCES);
const one = await paths("one", 1, libraries);
const other = await paths("other", 1, libraries);
const many = await paths("many", MANY, libraries);

const pushed = (all: readonly TestPath[], pass?: Scene["pass"]) => async (on: TestCache) => {
  for (const path of all) {
    expect((await pushAsNix(on, path)).status).toBe(201);
    await pass?.(PUSH_MS);
  }
};
const asked =
  (all: readonly TestPath[], status: number, headers = {}) =>
  async (on: TestCache) => {
    for (const { key } of all) expect((await on.get(`/${key}`, headers)).status).toBe(status);
  };
const pulled =
  (all: readonly TestPath[], headers = {}) =>
  async (on: TestCache) => {
    await asked(all, 200, headers)(on);
    for (const { narKey } of all) expect((await on.get(`/${narKey}`, headers)).status).toBe(200);
  };
const missing =
  (all: readonly TestPath[], headers = {}) =>
  async (on: TestCache) => {
    const hashes = all.flatMap(({ info }, index) => [info.storePath.hash, `${index}`.padStart(32, "0")]);
    const answer = await api("POST", "/missing", headers, { paths: hashes })(on, {} as never);
    expect(JSON.parse(answer.text)).toMatchObject({ missing: { length: all.length } });
  };
const collect = async (on: TestCache) => {
  const answer = await api("POST", "/gc", asAdmin, { force: true })(on, {} as never);
  expect(JSON.parse(answer.text)).toMatchObject({ done: true });
};

const seen = new Set<DeedName>();

function expectCost(name: DeedName, cost: Deed): void {
  seen.add(name);
  const { title: _, ...expected } = DEEDS[name];
  expect.soft({ name, ...cost }).toEqual({ name, ...expected });
}

describe("counted", () => {
  it("reading and pushing", async () => {
    const { cache, count, pass } = sceneWith();
    expectCost("miss", await count(asked(one, 404)));
    await count(pushed(libraries));
    expectCost("push", await count(pushed(one)));
    expectCost("pull", await count(pulled(one)));
    expectCost("pushOfMany", each(await count(pushed(many, pass)), MANY));
    expectCost("here", await count(asked(one, 200, asPusher)));
    expectCost("missing", await count(missing(many)));
    expectCost("scrape", await count(() => cache.get("/metrics", asPusher)));
  });

  it("in a cache that collects", async () => {
    const { count, pass } = sceneWith(COLLECTING);
    await count(pushed(libraries));
    expectCost("push", await count(pushed(one)));
    expectCost("pushOfMany", each(await count(pushed(many, pass)), MANY));
    await pass(LATER_MS);
    expectCost("hereAndCollecting", await count(asked(one, 200, asPusher)));
    await pass(LATER_MS);
    expectCost("pullByPusher", await count(pulled(one, asPusher)));
    await pass(LATER_MS);
    expectCost("missingAndCollecting", await count(missing(many, asPusher)));
  });

  it("with upstreams", async () => {
    const upstream = await createUpstream();
    await upstream.has(libraries);
    const { count } = sceneWith({ UPSTREAMS: [{ ...upstream.entry, serve: "redirect" }] });
    expectCost("fromUpstream", await count(asked(libraries.slice(0, 1), 200)));
    const questions = asked(libraries, 200, asPusher);
    const push = pushed(one);
    expectCost("pushOnUpstream", await count((on) => questions(on).then(() => push(on))));
    expectCost("pushOnUpstreamAgain", await count(pushed(other)));
  });

  it("a path that is mirrored", async () => {
    const upstream = await createUpstream();
    await upstream.has([...libraries, ...one]);
    const { count } = sceneWith({ UPSTREAMS: [{ ...upstream.entry, serve: "mirror" }] });
    expectCost("mirror", await count(asked(one, 200)));
    expect(await env.BUCKET.head(one[0]?.key ?? "")).not.toBeNull();
  });

  it("collections", async () => {
    const [few, all] = [await collections(MANY / 2), await collections(MANY)];
    const kept = each(all.kept, MANY / 2, few.kept);
    expectCost("kept", kept);
    expectCost("collection", each(all.kept, 1, times(kept, MANY + REFERENCES)));
    expectCost("removed", each(all.removed, MANY / 2, few.removed));
  });

  it("all of them", () => {
    expect(Object.keys(DEEDS).filter((name) => !seen.has(name as DeedName))).toEqual([]);
  });
});

/** One that keeps so many paths, and one that removes them, with the sweep of their NARs. */
async function collections(size: number): Promise<{ readonly kept: Deed; readonly removed: Deed }> {
  await reset();
  const { count, pass } = sceneWith(COLLECTING);
  await count(collect);
  await count(pushed([...libraries, ...many.slice(0, size)]));
  const kept = await count(collect);
  await pass(COLLECTING.CACHES["nix-cache"].retention_days * DAY_MS);
  await cronUntil(0);
  await pass(LATER_MS);
  const removed = await count(async (on) => {
    await collect(on);
    await pass(2 * DAY_MS);
  });
  expect((await env.BUCKET.list()).objects).toEqual([]);
  return { kept, removed };
}
