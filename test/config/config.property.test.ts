/** Any variables give a configuration, and its mistakes are readable lines. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { expect, test } from "vitest";
import { allProblems, parseConfig } from "../../src/config/config.ts";
import type { Env } from "../../src/env.ts";
import { captureLog } from "../support/log.ts";

captureLog();

const { BUCKET, CATALOG } = env;

/** Values that come near to what is asked for, and any others. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    ...[
      "",
      " ",
      "a b",
      "nar",
      "nix-cache",
      "-1",
      "0",
      "41",
      "1e3",
      "0x10",
      "[",
      "{}",
      "[]",
      '["a"]',
      "null",
      "true",
    ],
    ...[
      "/nix/store",
      "/nix/store/",
      "a:b",
      `a-1:${new Uint8Array(32).toBase64()}`,
      `a-1:${new Uint8Array(64).toBase64()}`,
    ],
    ...[
      0,
      -1,
      1.5,
      41,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      2 ** 53,
      1e300,
      null,
      undefined,
      true,
      {},
      [],
      [[]],
      [null],
    ],
  ),
  fc.string({ unit: "binary", maxLength: 50 }),
  fc.jsonValue(),
  fc.json(),
);
const name = fc.oneof(
  fc.constantFrom(
    "team",
    "nix-cache",
    "nar",
    "__proto__",
    "constructor",
    "a b",
    "",
    "A",
    "a".repeat(64),
    "api",
  ),
  fc.string({ maxLength: 10 }),
);
const setting = fc.oneof(
  fc.constantFrom(
    ...[
      "visibility",
      "priority",
      "signing_keys",
      "trusted_public_keys",
      "open",
      "retention_days",
      "max_size_gb",
      "verify",
      "listings",
    ],
    "__proto__",
  ),
  fc.string({ maxLength: 10 }),
);
const table = fc.dictionary(name, fc.oneof(value, fc.dictionary(setting, value)), { maxKeys: 4 });
const caches = fc.oneof(
  value,
  table,
  table.map((table) => JSON.stringify(table)),
);

const anyEnv = fc.record(
  {
    ADMIN_TOKEN: value,
    PUSH_TOKEN: value,
    PULL_TOKEN: value,
    TOKEN_SECRET: value,
    SIGNING_KEY: value,
    TRUSTED_PUBLIC_KEYS: value,
    PRIORITY: value,
    STORE_DIR: value,
    CACHE_NAME: value,
    OIDC: value,
    GC_GRACE_SECONDS: value,
    CACHES: caches,
  },
  { requiredKeys: [] },
);

test("any environment is a configuration that can be worked with", async () => {
  await fc.assert(
    fc.asyncProperty(anyEnv, async (variables) => {
      const config = parseConfig({ BUCKET, CATALOG, ...variables } as unknown as Env);
      const problems = await allProblems(config);
      for (const problem of problems) {
        expect(problem).toMatch(/^[A-Z_]+(\..*)?: .{5,}/s);
        expect(problem.length).toBeLessThan(1000);
      }
      for (const cache of [config, ...config.named.values()]) {
        expect(cache.cacheName).toMatch(/^[a-z0-9][a-z0-9-]{0,62}$/);
        expect(Number.isInteger(cache.priority) && cache.priority >= 0).toBe(true);
        expect(cache.storeDir).toMatch(/^\/[!-~]*[!-.0-~]$/);
        expect(Number.isSafeInteger(cache.graceMs) && cache.graceMs > 0).toBe(true);
        expect(Number.isFinite(new Date(Date.now() + cache.graceMs).getTime())).toBe(true);
        for (const token of [cache.pushToken, cache.pullToken, cache.adminToken]) {
          if (token !== undefined) expect(token).toMatch(/^\S+$/);
        }
        const { signing, trusted } = await cache.keys();
        expect([...signing, ...trusted].every((key) => key.name !== "")).toBe(true);
      }
    }),
    { numRuns: 1000 },
  );
});

test("what is wrong with a secret is said without it", async () => {
  // As long as a seed: what is shorter and stands before a colon is the name of a key.
  const secret = fc.stringMatching(/^[0-9A-Za-z+/]{43,90}$/);
  const around = fc.constantFrom("", " ", ":", "a:", "\n", "a b", "[", '["', "=");
  const named = fc.constantFrom("ADMIN_TOKEN", "PUSH_TOKEN", "PULL_TOKEN", "TOKEN_SECRET", "SIGNING_KEY");
  await fc.assert(
    fc.asyncProperty(named, around, secret, around, async (name, before, secret, after) => {
      const config = parseConfig({ BUCKET, CATALOG, [name]: before + secret + after } as unknown as Env);
      expect((await allProblems(config)).join("\n")).not.toContain(secret);
    }),
    { numRuns: 500 },
  );
});
