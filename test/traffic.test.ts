/** Counting requests, where there is something to count them in: what is noted of each, and what never is. */
import { createExecutionContext, reset, waitOnExecutionContext } from "cloudflare:test";
import { afterEach, describe, expect, test, vi } from "vitest";
import MONITORING from "../docs/operating/monitoring.md?raw";
import { allProblems, parseConfig } from "../src/config/config.ts";
import type { Env } from "../src/env.ts";
import { handle } from "../src/index.ts";
import { headersFor } from "./auth/wallet.ts";
import {
  ADMIN_TOKEN,
  basic,
  cacheWith,
  ORIGIN,
  PULL_TOKEN,
  PUSH_TOKEN,
  type TestCache,
} from "./support/cache.ts";
import { captureLog } from "./support/log.ts";
import { push, testPath } from "./support/store-paths.ts";
import { variables } from "./support/variables.ts";

captureLog();
afterEach(reset);

const path = await testPath();
const MEMBER = { Authorization: `Bearer ${PUSH_TOKEN}` };

interface Counting extends TestCache {
  readonly points: AnalyticsEngineDataPoint[];
}

function counting(variables: Partial<Env> = {}): Counting {
  const points: AnalyticsEngineDataPoint[] = [];
  const TRAFFIC = { writeDataPoint: (point: AnalyticsEngineDataPoint) => void points.push(point) };
  return { ...cacheWith({ ADMIN_TOKEN, TRAFFIC, ...variables }), points };
}

/** In the order of the documented columns. */
function point(kind: string, method: string, sender: string, status: number, sent: number, received = 0) {
  return {
    indexes: ["nix-cache"],
    blobs: [kind, "nix-cache", method, sender],
    doubles: [status, sent, received],
  };
}

describe("one data point for each request", () => {
  test("a push, a read, and a miss", async () => {
    const cache = counting();
    await push(cache, path);
    const size = path.nar.length;
    const { length } = path.text;
    expect(cache.points).toEqual([
      point("nar", "PUT", "pusher", 201, expect.any(Number) as never, size),
      point("narinfo", "PUT", "pusher", 201, expect.any(Number) as never, length),
    ]);
    cache.points.length = 0;
    await cache.get(`/${path.key}`);
    await cache.get(`/${path.narKey}`);
    await cache.head(`/${path.narKey}`);
    await cache.get(`/${path.narKey}`, { Range: "bytes=0-9" });
    await cache.get(`/${"0".repeat(32)}.narinfo`);
    expect(cache.points.slice(1)).toEqual([
      point("nar", "GET", "reader", 200, size),
      point("nar", "HEAD", "reader", 200, 0),
      point("nar", "GET", "reader", 206, 10),
      point("narinfo", "GET", "reader", 404, expect.any(Number) as never),
    ]);
    expect(cache.points[0]).toMatchObject(
      point("narinfo", "GET", "reader", 200, expect.any(Number) as never),
    );
    expect(cache.points[0]?.doubles?.[1]).toBeGreaterThanOrEqual(length);
  });

  test.each([
    ["/", "front"],
    ["/nix-cache-info", "nix-cache-info"],
    ["/health", "health"],
    ["/metrics", "metrics"],
    ["/api/v1/cache", "api"],
    ["/api/v1/nonsense", "api"],
    [`/log/${"0".repeat(32)}-x.drv`, "log"],
    [`/${"0".repeat(32)}.ls`, "listing"],
    ["/_/search?q=secret", "page"],
    ["/nowhere/secret", "other"],
    ["/%zz", "other"],
    ["/nix-cache/", "front"],
  ])("%s is counted as %s", async (to, kind) => {
    const cache = counting();
    const { status } = await cache.get(to);
    expect(cache.points).toMatchObject([
      { blobs: [kind, to === "/%zz" ? "" : "nix-cache", "GET", "reader"] },
    ]);
    expect(cache.points[0]?.doubles?.[0]).toBe(status);
  });

  test.each([
    ["nobody", {}, "reader"],
    ["a wrong token", { Authorization: "Bearer wrong" }, "reader"],
    ["a pusher", MEMBER, "pusher"],
    ["a pusher by netrc", { Authorization: basic("nix", PUSH_TOKEN) }, "pusher"],
    ["an administrator", { Authorization: `Bearer ${ADMIN_TOKEN}` }, "pusher"],
    ["a reader of a private cache", { Authorization: `Bearer ${PULL_TOKEN}` }, "reader"],
  ])("%s is told apart", async (_, headers, sender) => {
    const cache = counting({ PULL_TOKEN });
    await cache.get("/nix-cache-info", headers);
    expect(cache.points).toMatchObject([{ blobs: ["nix-cache-info", "nix-cache", "GET", sender] }]);
  });

  test("a named cache has its name; one that is not declared has none, and neither has an odd method", async () => {
    const cache = counting({ CACHES: { team: {}, hidden: { visibility: "private" } } });
    await cache.get("/team/nix-cache-info");
    await cache.get("/secret-project/nix-cache-info");
    await cache.fetch("/nix-cache-info", { method: "PROPFIND" });
    expect(cache.points).toMatchObject([
      { indexes: ["team"], blobs: ["nix-cache-info", "team", "GET", "reader"] },
      { indexes: [""], blobs: ["nix-cache-info", "", "GET", "reader"] },
      { indexes: ["nix-cache"], blobs: ["nix-cache-info", "nix-cache", "other", "reader"] },
    ]);
  });

  test("a signed upload is a pusher's", async () => {
    const cache = counting();
    const to = `/${path.narKey}`;
    const headers = headersFor(
      { name: "", token: PUSH_TOKEN, accessKey: "push", worth: "nobody" },
      "SigV4",
      "PUT",
      to,
    );
    expect(
      (
        await cache.fetch(to, {
          method: "PUT",
          body: path.nar,
          headers: { ...headers, "Content-Length": `${path.nar.length}` },
        })
      ).status,
    ).toBe(200);
    expect(cache.points).toMatchObject([{ blobs: ["nar", "nix-cache", "PUT", "pusher"] }]);
  });

  test("no name of a path and no credential is in it", async () => {
    const cache = counting();
    await push(cache, path);
    await cache.get(`/${path.key}?secret-query`, MEMBER);
    const text = JSON.stringify(cache.points);
    for (const secret of [path.info.storePath.hash, path.narKey, PUSH_TOKEN, "secret-query"]) {
      expect(text).not.toContain(secret);
    }
  });
});

test("the documented queries ask for columns that there are", async () => {
  const cache = counting();
  await cache.get("/");
  const [, queries = ""] = MONITORING.split("## Traffic");
  const columns = [...new Set(queries.match(/\b(?:blob|double|index)\d+\b/g))];
  expect(columns.length).toBeGreaterThan(5);
  const { blobs = [], doubles = [], indexes = [] } = cache.points[0] ?? {};
  const named = (kind: string, values: readonly unknown[]) => values.map((_, index) => `${kind}${index + 1}`);
  const there = [...named("blob", blobs), ...named("double", doubles), ...named("index", indexes)];
  expect(columns.sort()).toEqual(there.sort());
});

test("a request does not fail because it cannot be counted", async () => {
  const TRAFFIC = {
    writeDataPoint: () => {
      throw new Error("no more data points");
    },
  };
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect((await cacheWith({ TRAFFIC }).get("/nix-cache-info")).status).toBe(200);
  expect(warn).toHaveBeenCalledWith("a request was not counted", expect.any(Error));
});

describe("without the binding", () => {
  test.each([
    [{}, 0],
    [{ TRAFFIC: { writeDataPoint: () => undefined } }, 1],
  ])("nothing runs after a read: %j", async (changes, works) => {
    const context = createExecutionContext();
    const waitUntil = vi.spyOn(context, "waitUntil");
    const { environment } = cacheWith(changes);
    await handle(new Request(`${ORIGIN}/${path.key}`), environment, context);
    expect(waitUntil).toHaveBeenCalledTimes(works);
    await waitOnExecutionContext(context);
  });

  test.each(["yes", 7, {}])("%j is none, and a mistake", async (TRAFFIC) => {
    const problems = await allProblems(parseConfig(variables({ TRAFFIC })));
    expect(problems).toEqual([expect.stringMatching(/^TRAFFIC: no Analytics Engine is bound/)]);
  });
});
