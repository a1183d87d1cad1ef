/** What scripts of other sites may read: what everybody may, and nothing else. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { ROUTES } from "../../src/routes.ts";
import { examples } from "../auth/gate/table.ts";
import {
  ADMIN_TOKEN,
  cacheWith,
  contents,
  PULL_TOKEN,
  PUSH_TOKEN,
  type TestCache,
} from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";

captureLog();
afterEach(reset);

const SITE = "https://tool.example.com";
const path = await testPath();
const CACHES = { open: { listing: "public" }, team: {}, hidden: { visibility: "private" } };
const VARIABLES: Partial<Env> = { ADMIN_TOKEN, CACHES };
const PULLER = { Authorization: `Bearer ${PULL_TOKEN}` };
const MEMBER = { Authorization: `Bearer ${PUSH_TOKEN}` };

const originOf = ({ headers }: { headers: Headers }) => headers.get("Access-Control-Allow-Origin");

function preflight(cache: TestCache, to: string, method: string, headers: Record<string, string> = {}) {
  return cache.fetch(to, {
    method: "OPTIONS",
    headers: { Origin: SITE, "Access-Control-Request-Method": method, ...headers },
  });
}

/** As docs/internals/security.md has it, and nothing of how it is done. */
function isOpen(permission: string, prefix: string, method: string): boolean {
  if (method !== "GET" || prefix === "/hidden" || prefix === "/nothing") return false;
  return ["none", "pull"].includes(permission) || (permission === "list" && prefix === "/open");
}

describe.each(["", "/team", "/open", "/hidden", "/nothing"])("the cache at '%s/'", (prefix) => {
  test.each(examples().map((each) => [`${each.route.method} ${each.path}`, each] as const))(
    "%s",
    async (_, { route, path }) => {
      const cache = cacheWith(VARIABLES);
      const open = isOpen(route.permission, prefix, route.method);
      const answer = await cache.fetch(prefix + path, { method: route.method, headers: { Origin: SITE } });
      // What changes something is refused where it comes from another site.
      expect([answer.status === 403, originOf(answer)]).toEqual([route.method !== "GET", open ? "*" : null]);
      const asked = await preflight(cache, prefix + path, route.method);
      expect([asked.status, originOf(asked)]).toEqual(open ? [204, "*"] : [405, null]);
      expect(answer.headers.get("Access-Control-Allow-Credentials")).toBeNull();
      expect(asked.headers.get("Access-Control-Allow-Credentials")).toBeNull();
    },
  );
});

test("no route is left out", () => {
  expect(examples()).toHaveLength(ROUTES.length);
});

describe("a public cache", () => {
  test("whatever the answer is, a script may read it: found, not there, not changed, a part", async () => {
    const cache = cacheWith();
    await push(cache, path);
    const etag = (await cache.get(`/${path.key}`)).headers.get("ETag") ?? "";
    const answers = [
      await cache.get(`/${path.key}`),
      await cache.head(`/${path.key}`),
      await cache.get(`/${"0".repeat(32)}.narinfo`),
      await cache.get(`/${path.key}`, { "If-None-Match": etag }),
      await cache.get(`/${path.narKey}`, { Range: "bytes=0-3" }),
      await cache.get(`/${path.narKey}`, { Range: "bytes=99999-" }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 304, 206, 416]);
    for (const answer of answers) expect(originOf(answer)).toBe("*");
    // Such as ETag and Content-Range.
    for (const { headers } of answers) expect(headers.get("Access-Control-Expose-Headers")).toBe("*");
  });

  test("what shared caches keep is the same for everybody: they ask nobody for a credential", async () => {
    const cache = cacheWith();
    await push(cache, path);
    for (const to of [`/${path.key}`, `/${path.narKey}`, "/nix-cache-info", "/"]) {
      const answer = await cache.get(to, MEMBER);
      expect([answer.headers.get("Cache-Control"), originOf(answer)]).toEqual([
        expect.stringMatching(/^public/),
        "*",
      ]);
      expect(answer.headers.get("Vary") ?? "").not.toContain("Origin");
    }
  });

  test("a miss is the same for a pusher", async () => {
    const answer = await cacheWith().get(`/${"0".repeat(32)}.narinfo`, MEMBER);
    expect([answer.status, originOf(answer)]).toEqual([404, "*"]);
  });

  test("an answer that may depend on a credential is for its sender only", async () => {
    const cache = cacheWith(VARIABLES);
    for (const to of ["/api/v1/cache", "/api/v1/whoami", "/metrics", "/api/v1/stats"]) {
      expect([to, originOf(await cache.get(to, MEMBER))]).toEqual([to, null]);
      expect([to, originOf(await cache.get(to, { Authorization: "Bearer wrong" }))]).toEqual([to, null]);
    }
    expect(originOf(await cache.get("/api/v1/cache?X-Amz-Signature=x"))).toBeNull();
    expect(originOf(await cache.get("/api/v1/cache"))).toBe("*");
  });
});

test("a private cache tells scripts of other sites nothing, whatever they know", async () => {
  const cache = cacheWith({ PULL_TOKEN });
  await push(cache, path);
  for (const to of [`/${path.key}`, `/${path.narKey}`, "/", "/health", "/nowhere", "/api/v1/whoami"]) {
    for (const headers of [{}, PULLER, MEMBER]) {
      expect([to, originOf(await cache.get(to, { Origin: SITE, ...headers }))]).toEqual([to, null]);
    }
    expect(originOf(await preflight(cache, to, "GET"))).toBeNull();
  }
});

describe("a preflight", () => {
  test("allows reading with any header but Authorization, and is kept", async () => {
    const answer = await preflight(cacheWith(), `/${path.key}`, "GET", {
      "Access-Control-Request-Headers": "if-none-match,range,x-other",
    });
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(Object.fromEntries(answer.headers)).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET, HEAD",
      "access-control-allow-headers": "*",
      "access-control-max-age": "7200",
      "x-content-type-options": "nosniff",
    });
  });

  test.each(["PUT", "POST", "DELETE", "PATCH", "", "get"])("of %j is not allowed", async (method) => {
    const answer = await preflight(cacheWith(), `/${path.key}`, method);
    expect([answer.status, originOf(answer)]).toEqual([405, null]);
  });

  test("of what is no path is not found", async () => {
    const answer = await preflight(cacheWith(), "/nowhere", "GET");
    expect([answer.status, originOf(answer)]).toEqual([404, null]);
  });

  test("asks neither the bucket nor the catalog", async () => {
    const cache = cacheWith({ BUCKET: undefined as never });
    expect((await preflight(cache, `/${path.key}`, "GET")).status).toBe(204);
    expect(cache.catalog.calls).toEqual([]);
  });

  test.each([
    ["without an origin", { "Access-Control-Request-Method": "GET" }],
    ["without a method", { Origin: SITE }],
  ])("%s is none", async (_, headers) => {
    const answer = await cacheWith().fetch(`/${path.key}`, { method: "OPTIONS", headers });
    expect([answer.status, answer.headers.get("Allow")]).toEqual([405, "GET, HEAD, PUT"]);
  });

  test("opens nothing: what it did not allow is refused without it, too", async () => {
    const cache = cacheWith();
    const answer = await cache.put(`/${path.narKey}`, path.nar, { Origin: SITE });
    expect([answer.status, originOf(answer), await contents()]).toEqual([403, null, {}]);
  });
});
