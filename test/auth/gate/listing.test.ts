// Search and listing of a public cache: for members only, unless its setting says otherwise. What strangers get costs
// neither an operation of the bucket nor a call of the catalog.
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Listing } from "../../../src/config/caches.ts";
import { parseConfig } from "../../../src/config/config.ts";
import type { Env } from "../../../src/env.ts";
import { watch } from "../../support/bucket.ts";
import { ADMIN_TOKEN, basic, cacheWith, PUSH_TOKEN } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { push, testPath } from "../../support/store-paths.ts";
import { minted, TOKEN_SECRET } from "../wallet.ts";

captureLog();
afterEach(reset);

const path = await testPath();
const { hash } = path.info.storePath;

const FOR_MEMBERS = [
  "/api/v1/paths",
  "/api/v1/paths?q=zzz",
  "/api/v1/paths?prefix=zzz",
  "/api/v1/stats",
  "/metrics",
  "/api/v1/pins",
  "/api/v1/pins/deployed",
  "/?list-type=2",
  "/?list-type=2&delimiter=/",
  "/?prefix=nar/",
  "/?marker=x",
  "/nix-cache?list-type=2",
  "/nix-cache/?max-keys=1",
  "/_/search",
  "/_/search?q=zzz",
  "/_/state",
  `/_/files/${hash}/`,
  `/_/raw/${hash}/`,
  `/_/serve/${hash}/`,
  "/nix-cache/_/state",
];
const FOR_ALL = [
  "/",
  "/nix-cache-info",
  "/health",
  "/?location",
  "/nix-cache/?location",
  `/${path.key}`,
  `/${path.narKey}`,
  `/api/v1/paths/${hash}`,
  "/api/v1/whoami",
  "/api/v1/cache",
  "/api/v1/openapi.json",
  "/_/",
  `/_/path/${hash}`,
];

/** Passes the gate and then finds nothing: the cache is empty. */
function isOfNothing(url: string): boolean {
  return url.endsWith("/deployed") || url.includes(hash);
}

describe("of a public cache", () => {
  test("a stranger who searches without pause waits for each refusal; a member does not search late", async () => {
    const waits = vi.spyOn(scheduler, "wait");
    const cache = cacheWith();
    await cache.get("/api/v1/paths?q=zzz");
    await cache.get("/api/v1/paths?q=zzz", { Authorization: "Bearer wrong" });
    expect(waits.mock.calls).toEqual([[50], [50]]);
    await cache.get("/api/v1/paths?q=zzz", { Authorization: `Bearer ${PUSH_TOKEN}` });
    await cache.get(`/${path.key}`);
    expect(waits).toHaveBeenCalledTimes(2);
  });

  test.each(FOR_MEMBERS)("a stranger does not get %s, and it costs nothing", async (url) => {
    const watched = watch(env.BUCKET);
    const cache = cacheWith({ BUCKET: watched.bucket });
    for (const headers of [{}, { Authorization: "Bearer wrong" }, { Authorization: basic("nix", "") }]) {
      for (const method of ["GET", "HEAD"]) {
        const answer = await cache.fetch(url, { method, headers });
        expect(answer.status).toBe(401);
        expect(answer.headers.get("WWW-Authenticate")).toMatch(/^Basic realm="/);
        if (method === "HEAD") continue;
        expect(answer.text).toMatch(/need a credential for this cache/);
        expect(answer.text).toMatch(/send a valid one as/);
      }
    }
    expect([watched.operations, cache.catalog.calls]).toEqual([[], []]);
  });

  test.each(FOR_MEMBERS)("a member gets %s", async (url) => {
    const cache = cacheWith({ ADMIN_TOKEN, TOKEN_SECRET });
    for (const token of [PUSH_TOKEN, ADMIN_TOKEN, await minted("pull", "nix-cache")]) {
      const { status } = await cache.get(url, { Authorization: `Bearer ${token}` });
      expect(status).toBe(isOfNothing(url) ? 404 : 200);
    }
  });

  test.each(FOR_MEMBERS)("a credential for another cache is none for %s", async (url) => {
    const cache = cacheWith({ TOKEN_SECRET, CACHES: { team: {} } });
    const Authorization = `Bearer ${await minted("admin", "team")}`;
    const { status, text } = await cache.get(url, { Authorization });
    expect(status).toBe(403);
    expect(text).toMatch(/may do nothing with this cache/);
  });

  test.each(FOR_ALL)("anybody gets %s", async (url) => {
    const cache = cacheWith();
    await push(cache, path);
    expect((await cache.get(url)).status).toBe(200);
  });

  test.each(FOR_MEMBERS)("with a public listing anybody gets %s", async (url) => {
    const { status } = await cacheWith({ LISTING: "public" }).get(url);
    expect(status).toBe(isOfNothing(url) ? 404 : 200);
  });
});

test("a public listing does not open a private cache", async () => {
  const cache = cacheWith({
    PULL_TOKEN: "pull",
    LISTING: "public",
    CACHES: { team: { visibility: "private" } },
  });
  for (const url of FOR_MEMBERS) expect((await cache.get(url)).status).toBe(401);
  expect((await cache.get("/team/api/v1/stats")).status).toBe(401);
});

test.each<[string, Partial<Env>, Listing, Listing]>([
  ["nothing", {}, "members", "members"],
  ["LISTING", { LISTING: "public" }, "public", "public"],
  ["an empty LISTING", { LISTING: "" }, "members", "members"],
  ["the entry of a cache", { CACHES: { "nix-cache": { listing: "public" } } }, "public", "members"],
  [
    "an entry that differs from LISTING",
    { LISTING: "public", CACHES: { "nix-cache": { listing: "members" }, team: {} } },
    "members",
    "public",
  ],
  ["a mistake", { LISTING: "Public" }, "members", "members"],
  [
    "a mistake in an entry",
    { LISTING: "public", CACHES: { "nix-cache": { listing: "x" } } },
    "members",
    "public",
  ],
])("%s says for whom", (_, { CACHES = {}, ...variables }, own, ofTeam) => {
  const config = parseConfig({ ...variables, CACHES: { team: {}, ...(CACHES as object) } } as unknown as Env);
  expect([config.listing, config.named.get("team")?.listing]).toEqual([own, ofTeam]);
});
