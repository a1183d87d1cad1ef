/** Variables with a name that nothing reads: those that look like ours are mistakes, and hide what they may have meant to hide. */
// @module-tag slow

import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { allProblems, parseConfig } from "../../src/config/config.ts";
import { cacheWith, PUSH_TOKEN, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { variables } from "../support/variables.ts";

afterEach(reset);
captureLog();

/** What is meant; and whether it may have been meant to hide the cache. */
const MISSPELT: readonly (readonly [name: string, meant: string, hides?: "hides"])[] = [
  ["PULL_TOKE", "PULL_TOKEN", "hides"],
  ["PUL_TOKEN", "PULL_TOKEN", "hides"],
  ["PLUL_TOKEN", "PULL_TOKEN", "hides"],
  ["PULL_TOEKN", "PULL_TOKEN", "hides"],
  ["PULL_TOKENS", "PULL_TOKEN", "hides"],
  ["PULLTOKEN", "PULL_TOKEN", "hides"],
  ["pull_token", "PULL_TOKEN", "hides"],
  ["Pull_Token", "PULL_TOKEN", "hides"],
  ["pullToken", "PULL_TOKEN", "hides"],
  ["PULL-TOKEN", "PULL_TOKEN", "hides"],
  ["PULL_TOKEN_", "PULL_TOKEN", "hides"],
  ["_PULL_TOKEN", "PULL_TOKEN", "hides"],
  ["PULL_TOKEN2", "PULL_TOKEN", "hides"],
  ["TOKEN_PULL", "PULL_TOKEN", "hides"],
  ["NIX_PULL_TOKEN", "PULL_TOKEN", "hides"],
  ["NIX_CACHE_PULL_TOKE", "PULL_TOKEN", "hides"],
  ["PULL_TOKEN_SECRET", "PULL_TOKEN", "hides"],
  ["PULL", "PULL_TOKEN", "hides"],
  ["TOKEN", "PULL_TOKEN", "hides"],
  ["CACHE", "CACHES", "hides"],
  ["CACHS", "CACHES", "hides"],
  ["CAHCES", "CACHES", "hides"],
  ["Caches", "CACHES", "hides"],
  ["NIX_CACHES", "CACHES", "hides"],
  ["CACHES_JSON", "CACHES", "hides"],
  ["OICD", "OIDC", "hides"],
  ["OIDCS", "OIDC", "hides"],
  ["OIDC_RULES", "OIDC", "hides"],
  ["VISIBILITY", "visibility", "hides"],
  ["VISIBILTY", "visibility", "hides"],
  ["visibility", "visibility", "hides"],
  ["CACHE_VISIBILITY", "visibility", "hides"],
  ["PRIVATE", "visibility", "hides"],
  ["IS_PRIVATE", "visibility", "hides"],
  ["PRIVATE_CACHE", "visibility", "hides"],
  ["PUBLIC", "visibility", "hides"],
  ["PUSH_TOKN", "PUSH_TOKEN"],
  ["PUSHTOKEN", "PUSH_TOKEN"],
  ["PUSH_TOKENS", "PUSH_TOKEN"],
  ["PUHS_TOKEN", "PUSH_TOKEN"],
  ["ADMIN_TOKE", "ADMIN_TOKEN"],
  ["ADMINTOKEN", "ADMIN_TOKEN"],
  ["TOKEN_SECRETS", "TOKEN_SECRET"],
  ["TOKENS_SECRET", "TOKEN_SECRET"],
  ["SECRET_TOKEN", "TOKEN_SECRET"],
  ["SIGNING_KEYS", "SIGNING_KEY"],
  ["SIGNIN_KEY", "SIGNING_KEY"],
  ["SINGING_KEY", "SIGNING_KEY"],
  ["TRUSTED_PUBLIC_KEY", "TRUSTED_PUBLIC_KEYS"],
  ["TRUSTED_KEYS", "TRUSTED_PUBLIC_KEYS"],
  ["PUBLIC_KEYS", "TRUSTED_PUBLIC_KEYS"],
  ["EXTRA_TRUSTED_PUBLIC_KEYS", "TRUSTED_PUBLIC_KEYS"],
  ["PRIORTY", "PRIORITY"],
  ["STORE_DIRS", "STORE_DIR"],
  ["STOREDIR", "STORE_DIR"],
  ["CACHE_NAMES", "CACHE_NAME"],
  ["CACHENAME", "CACHE_NAME"],
  ["GRACE_SECONDS", "GC_GRACE_SECONDS"],
  ["GC_GRACE_SECOND", "GC_GRACE_SECONDS"],
  ["RETENTION_DAYS", "retention_days"],
  ["RETENTION_DAY", "retention_days"],
  ["retention_days", "retention_days"],
  ["RETENTION", "retention_days"],
  ["RETENTION_HOURS", "retention_days"],
  ["MAX_SIZE_GB", "max_size_gb"],
  ["MAX_SIZE", "max_size_gb"],
  ["OPEN", "open"],
  ["VERIFY", "verify"],
  ["LISTINGS", "LISTING"],
  ["UPSTREAM", "UPSTREAMS"],
  ["UPSTRAEMS", "UPSTREAMS"],
  ["EXTRA_UPSTREAMS", "UPSTREAMS"],
];

/** Of something else that is deployed with the Worker. */
const OTHERS = [
  ...["MY_THING", "LOG_LEVEL", "ENVIRONMENT", "DEBUG", "VERSION", "SENTRY_DSN", "API_KEY", "API_TOKEN"],
  ...["CLOUDFLARE_API_TOKEN", "CF_ACCOUNT_ID", "GITHUB_TOKEN", "DATABASE_URL", "NODE_ENV", "PRIVATE_KEY"],
  ...["PUBLIC_URL", "BASE_URL", "CACHE_TTL", "CACHE_AGE", "NIX_CACHE_URL", "SECRET_KEY", "AUTH_TOKEN"],
  ...["SLACK_WEBHOOK", "VERIFY_URL", "MAX_AGE", "KV", "DB", "AI", "ASSETS", "QUEUE"],
];

describe.each(MISSPELT)("%s", (name, meant, hides) => {
  test.each<[string, unknown]>([
    ["a text", "s3cr3t"],
    ["a table", { team: {} }],
    ["a list", [1]],
    ["a number", 30],
    ["false", false],
  ])("as %s is a mistake that names %s", async (_, value) => {
    const config = parseConfig(variables({ PUSH_TOKEN, [`${name}`]: value }));
    const problems = await allProblems(config);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(new RegExp(`^${name}: .{10,380}$`));
    expect(problems[0]).toMatch(new RegExp(`\\b${meant}\\b`));
    expect(problems[0]).not.toContain("s3cr3t");
    expect(config.isPrivate).toBe(hides !== undefined);
  });

  test("that is empty is absent", async () => {
    expect(await allProblems(parseConfig(variables({ [`${name}`]: "" })))).toEqual([]);
  });
});

describe.each(OTHERS)("%s is of something else", (name) => {
  test.each<[string, unknown]>([
    ["a text", "x"],
    ["a binding", env.BUCKET],
  ])("as %s", async (_, value) => {
    const config = parseConfig(variables({ [`${name}`]: value }));
    expect([await allProblems(config), config.isPrivate]).toEqual([[], false]);
  });
});

test.each(["BUCKETS", "MY_BUCKET", "CACHE", "PULL_TOKENS"])(
  "a binding of another thing may have any name: %s",
  async (name) => {
    for (const value of [env.BUCKET, env.CATALOG]) {
      const config = parseConfig(variables({ [`${name}`]: value }));
      expect([await allProblems(config), config.isPrivate]).toEqual([[], false]);
    }
  },
);

describe("what may have been meant to be private", () => {
  test("is private for requests, and /health says why", async () => {
    await store("nar/x", "secret");
    const cache = cacheWith(variables({ PUSH_TOKEN, PULL_TOKE: "s3cr3t" }));
    expect((await cache.get("/nar/x")).status).toBe(401);
    const health = await cache.get("/health");
    expect(health.status).toBe(200);
    expect(health.text).toContain("PULL_TOKE:");
    expect(health.text).not.toContain("s3cr3t");
  });

  test("includes named caches that do not say that they are public", () => {
    const CACHES = { team: {}, open: { visibility: "public" } };
    const { named } = parseConfig(variables({ VISIBILTY: "private", CACHES }));
    expect([named.get("team")?.isPrivate, named.get("open")?.isPrivate]).toEqual([true, false]);
  });

  test.each<[string, Record<string, unknown>]>([
    ["a setting beside the caches", { visibility: "private" }],
    ["a misspelt setting beside the caches", { visibilty: "private" }],
    ["a default cache that lacks a letter", { "nix-cach": { visibility: "private" } }],
    ["with exchanged letters", { "nix-cahce": { visibility: "private" } }],
    ["with a letter too many", { "nix-caches": { visibility: "private" } }],
    ["without its hyphen", { nixcache: { visibility: "private" } }],
    ["under the name default", { default: { visibility: "private" } }],
  ])("of CACHES: %s", async (_, CACHES) => {
    const config = parseConfig(variables({ CACHES }));
    expect(config.problems).toHaveLength(1);
    expect(config.isPrivate).toBe(true);
  });

  test.each(["nix-cache2", "team", "nix-cache-dev", "cache", "staging"])(
    "another cache is one: %s",
    async (name) => {
      const config = parseConfig(variables({ CACHES: { [name]: { visibility: "private" } } }));
      expect([config.problems, config.isPrivate]).toEqual([[], false]);
    },
  );

  test.each<[string, string]>([
    ["visibilty", "visibility"],
    ["retention_day", "retention_days"],
    ["retentiondays", "retention_days"],
    ["signing_key", "signing_keys"],
    ["trusted_keys", "trusted_public_keys"],
    ["max_size", "max_size_gb"],
    ["Verify", "verify"],
  ])("the setting %s is named as %s", async (setting, meant) => {
    const config = parseConfig(variables({ CACHES: { team: { [setting]: "x" } } }));
    expect(config.problems).toEqual([
      expect.stringMatching(
        new RegExp(`^CACHES.team.${setting}: unknown setting; allowed: .*; ${meant} is probably meant$`),
      ),
    ]);
    expect(config.named.get("team")?.isPrivate).toBe(true);
  });
});
