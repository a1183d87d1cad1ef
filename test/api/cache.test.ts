/** What a cache tells of itself: enough to use it, and nothing that the caller may not know. */
import { createExecutionContext, reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { type CacheDescription, VERSION } from "../../src/contract/cache.ts";
import { handle } from "../../src/index.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { minted, TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, cacheWith, ORIGIN, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { apiCache, ask, call } from "./api.ts";

captureLog();
afterEach(() => reset());

const KEY = await generateSecretKey("cache-1");
const BUILDER = await generateSecretKey("builder-1");

const describeIt = (variables: Parameters<typeof apiCache>[0], token = "") =>
  ask<CacheDescription>(apiCache(variables), "GET", "/cache", { token });

describe("GET /api/v1/cache", () => {
  it("tells everybody of a public cache all that a client needs", async () => {
    const upstream = { url: "https://cache.nixos.org", serve: "redirect" };
    const description = await describeIt({
      ...{ SIGNING_KEY: KEY.secret, TRUSTED_PUBLIC_KEYS: [BUILDER.public], UPSTREAMS: [upstream] },
      ...{ PRIORITY: 30, STORE_DIR: "/gnu/store", LISTING: "public" },
      CACHES: { "nix-cache": { verify: "before" } },
    });
    expect(description).toEqual({
      name: "nix-cache",
      url: ORIGIN,
      store_dir: "/gnu/store",
      priority: 30,
      public_keys: [KEY.public],
      signs: true,
      trusted_public_keys: [BUILDER.public],
      visibility: "public",
      listing: "public",
      compression: "zstd",
      verification: "before",
      upstreams: [
        {
          ...upstream,
          public_keys: ["cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY="],
        },
      ],
      oidc: [],
      limits: {
        nar_size: 5 * 1024 ** 3 - 5 * 1024 ** 2,
        narinfo_size: 1024 ** 2,
        listing_size: 64 * 1024 ** 2,
        log_size: 32 * 1024 ** 2,
        missing_paths: 20_000,
        missing_paths_of_anonymous: 1000,
      },
      version: VERSION,
    });
  });

  it("has the version of the package", () => {
    expect(VERSION).toBe(packageJson.version);
  });

  it("of a cache that does not sign, has the keys of those who push", async () => {
    expect(await describeIt({ TRUSTED_PUBLIC_KEYS: [BUILDER.public] })).toMatchObject({
      ...{ signs: false, public_keys: [BUILDER.public], trusted_public_keys: [BUILDER.public] },
    });
    expect(await describeIt({})).toMatchObject({ signs: false, public_keys: [], trusted_public_keys: [] });
  });

  it("of a named cache, has its own settings, keys and URL", async () => {
    const cache = apiCache({
      SIGNING_KEY: `${KEY.secret} ${BUILDER.secret}`,
      CACHES: { team: { priority: 7, verify: "off", signing_keys: ["builder-1"] } },
    });
    const { text } = await cache.get("/team/api/v1/cache");
    expect(JSON.parse(text)).toMatchObject({
      ...{ name: "team", url: `${ORIGIN}/team`, priority: 7, verification: "off" },
      public_keys: [BUILDER.public],
    });
    const own = await cache.get("/nix-cache/api/v1/cache");
    expect(JSON.parse(own.text)).toMatchObject({ name: "nix-cache", url: ORIGIN });
  });

  it("has the URL by which it was asked", async () => {
    const request = new Request("http://localhost:8787/team/api/v1/cache?");
    const { environment } = cacheWith({ CACHES: { team: {} } });
    const answer = await handle(request, environment, createExecutionContext());
    expect(await answer.json()).toMatchObject({ url: "http://localhost:8787/team" });
  });

  it("names each issuer once, with the audiences of the rules for this cache only", async () => {
    const rule = (issuer: string, audience: string | string[], caches: string[], permission = "push") => ({
      ...{ issuer: `https://${issuer}.example`, audience, claims: { repository: "acme/secret-name" } },
      ...{ permissions: [permission], caches },
    });
    const cache = apiCache({
      CACHES: { team: {}, hidden: { visibility: "private" } },
      OIDC: [
        rule("a", "one", ["nix-cache"]),
        rule("b", ["two", "three"], ["*"], "pull"),
        rule("a", ["four", "one"], ["nix-*"]),
        rule("c", "five", ["hidden"]),
      ],
    });
    const own = await cache.get("/api/v1/cache");
    expect(JSON.parse(own.text)).toMatchObject({
      oidc: [
        { issuer: "https://a.example", audiences: ["one", "four"] },
        { issuer: "https://b.example", audiences: ["two", "three"] },
      ],
    });
    expect(own.text).not.toContain("acme");
    const team = await cache.get("/team/api/v1/cache");
    expect(JSON.parse(team.text)).toMatchObject({
      oidc: [{ issuer: "https://b.example", audiences: ["two", "three"] }],
    });
  });

  it("names a private upstream only to those who may read it", async () => {
    const variables = {
      ...{ TOKEN_SECRET, PULL_TOKEN, UPSTREAMS: ["/open", "/hidden"] },
      CACHES: { open: {}, hidden: { visibility: "private" } },
    };
    const urls = async (token: string) =>
      (await describeIt(variables, token)).upstreams.map(({ url }) => url);
    expect(await urls(PULL_TOKEN)).toEqual(["/open"]);
    expect(await urls(await minted("pull", "nix-cache"))).toEqual(["/open"]);
    expect(await urls(await minted("pull", "*"))).toEqual(["/open", "/hidden"]);
  });

  it("of a private cache, is for its readers; a hidden one is as if it were not there", async () => {
    const cache = apiCache({ TOKEN_SECRET, PULL_TOKEN, CACHES: { hidden: { visibility: "private" } } });
    expect(await call(cache, "GET", "/cache")).toMatchObject({ status: 401 });
    expect(await call(cache, "GET", "/cache", { token: PULL_TOKEN })).toMatchObject({
      ...{ status: 200, body: { visibility: "private" } },
    });
    const hidden = (token: string) =>
      cache.get("/hidden/api/v1/cache", token ? { Authorization: `Bearer ${token}` } : {});
    expect((await hidden("")).status).toBe(401);
    expect((await hidden(PULL_TOKEN)).status).toBe(401);
    expect(JSON.parse((await hidden(await minted("pull", "hidden"))).text)).toMatchObject({ name: "hidden" });
  });

  it("has no secret in it", async () => {
    const { text } = await apiCache({ SIGNING_KEY: KEY.secret, TOKEN_SECRET, PULL_TOKEN }).get(
      "/api/v1/cache",
      { Authorization: `Bearer ${ADMIN_TOKEN}` },
    );
    const [, seed = ""] = KEY.secret.split(":");
    for (const secret of [seed.slice(0, 40), TOKEN_SECRET, PULL_TOKEN, PUSH_TOKEN, ADMIN_TOKEN]) {
      expect(text).not.toContain(secret);
    }
  });
});
