/** Mistakes in the configuration: they are named, refuse writes, stop no read, and open nothing that was private. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { allProblems, parseConfig } from "../../src/config/config.ts";
import type { Env } from "../../src/env.ts";
import { cacheWith, keys, PULL_TOKEN, PUSH_TOKEN, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf, narKeyOf } from "../support/store-paths.ts";
import { MATERIAL, PUBLIC, PUBLICS, SECRET, SECRETS, variables } from "../support/variables.ts";

afterEach(reset);
const log = captureLog();

const MISTAKES: [string, Record<string, unknown>, RegExp][] = [
  ["PRIORITY that is no number", { PRIORITY: "high" }, /^PRIORITY: must be a whole number/],
  ["PRIORITY with a fraction", { PRIORITY: 41.5 }, /^PRIORITY: /],
  ["PRIORITY below 0", { PRIORITY: "-1" }, /^PRIORITY: /],
  ["PRIORITY in hexadecimal", { PRIORITY: "0x10" }, /^PRIORITY: /],
  ["PRIORITY that Nix cannot read", { PRIORITY: "99999999999" }, /^PRIORITY: /],
  ["PRIORITY that is a list", { PRIORITY: [41] }, /^PRIORITY: /],
  ["PRIORITY that is true", { PRIORITY: true }, /^PRIORITY: /],
  ["STORE_DIR that is relative", { STORE_DIR: "nix/store" }, /^STORE_DIR: must be an absolute path/],
  ["STORE_DIR with a final slash", { STORE_DIR: "/nix/store/" }, /^STORE_DIR: /],
  ["STORE_DIR of two lines", { STORE_DIR: "/nix/store\nPriority: 0" }, /^STORE_DIR: /],
  ["STORE_DIR that is a number", { STORE_DIR: 1 }, /^STORE_DIR: /],
  ["CACHE_NAME in upper case", { CACHE_NAME: "Team" }, /^CACHE_NAME: /],
  ["CACHE_NAME with a slash", { CACHE_NAME: "a/b" }, /^CACHE_NAME: /],
  ["a blank PUSH_TOKEN", { PUSH_TOKEN: " \n" }, /^PUSH_TOKEN: must be a text that is not blank/],
  ["PUSH_TOKEN that is a number", { PUSH_TOKEN: 12345 }, /^PUSH_TOKEN: /],
  ["a blank PULL_TOKEN", { PULL_TOKEN: "  " }, /^PULL_TOKEN: /],
  ["one token for both", { PULL_TOKEN: PUSH_TOKEN }, /^PULL_TOKEN: is the same as PUSH_TOKEN/],
  [
    "one token for readers and administrators",
    { PULL_TOKEN, ADMIN_TOKEN: PULL_TOKEN },
    /^PULL_TOKEN: is the same as PUSH_TOKEN or ADMIN_TOKEN/,
  ],
  ["a PUSH_TOKEN with white space", { PUSH_TOKEN: "se cret" }, /^PUSH_TOKEN: .*no white space/],
  ["one token for two", { ADMIN_TOKEN: PUSH_TOKEN }, /^ADMIN_TOKEN: is the same as PUSH_TOKEN/],
  ["a blank ADMIN_TOKEN", { ADMIN_TOKEN: "\t" }, /^ADMIN_TOKEN: must be a text that is not blank/],
  ["LISTING as another word", { LISTING: "everybody" }, /^LISTING: must be "members" or "public"/],
  ["LISTING that is true", { LISTING: true }, /^LISTING: /],
  [
    "listing as another word",
    { CACHES: { "nix-cache": { listing: "open" } } },
    /^CACHES\.nix-cache\.listing: must be "members" or "public"/,
  ],
  ["CACHES that is no table", { CACHES: true }, /^CACHES: must be a table/],
  ["CACHES as a list", { CACHES: ["nix-cache"] }, /^CACHES: must be a table/],
  ["CACHES as broken JSON", { CACHES: '{"nix-cache": {' }, /^CACHES: must be a table/],
  ["a cache that is no table", { CACHES: { "nix-cache": true } }, /^CACHES\.nix-cache: must be a table/],
  ["open as a text", { CACHES: { "nix-cache": { open: "true" } } }, /^CACHES\.nix-cache\.open: must be/],
  [
    "verify as another word",
    { CACHES: { "nix-cache": { verify: "always" } } },
    /^CACHES\.nix-cache\.verify: must be "before"/,
  ],
  [
    "listings as a text",
    { CACHES: { "nix-cache": { listings: "yes" } } },
    /^CACHES\.nix-cache\.listings: must be/,
  ],
  [
    "an unknown setting",
    { CACHES: { "nix-cache": { opne: true } } },
    /^CACHES\.nix-cache\.opne: unknown setting; .*; open is probably meant$/,
  ],
  [
    "an unknown visibility",
    { CACHES: { "nix-cache": { visibility: "secret" } } },
    /^CACHES\.nix-cache\.visibility: .*private until/,
  ],
  [
    "a priority of a cache",
    { CACHES: { team: { priority: "x" } } },
    /^CACHES\.team\.priority: must be a whole/,
  ],
  [
    "a cache's trusted keys",
    { CACHES: { team: { trusted_public_keys: "x" } } },
    /^CACHES\.team\.trusted_public/,
  ],
  [
    "a signing key that there is not",
    { SIGNING_KEY: SECRET, CACHES: { team: { signing_keys: ["other-1"] } } },
    /^CACHES\.team\.signing_keys: SIGNING_KEY has no usable key other-1/,
  ],
  [
    "a named cache that does not say which of several keys are its own",
    { SIGNING_KEY: SECRETS.join(" "), CACHES: { team: { open: true } } },
    /^CACHES\.team\.signing_keys: SIGNING_KEY has 3 keys; name those/,
  ],
  ["a name in upper case", { CACHES: { Team: {} } }, /^CACHES: has a mistake; the log/],
  ["a name that shadows a route", { CACHES: { nar: {} } }, /^CACHES: has a mistake; the log/],
  ["a blank SIGNING_KEY", { SIGNING_KEY: " \n" }, /^SIGNING_KEY: is set, but blank/],
  ["blank TRUSTED_PUBLIC_KEYS", { TRUSTED_PUBLIC_KEYS: "\n" }, /^TRUSTED_PUBLIC_KEYS: is set, but blank/],
  ["a default cache that shadows a route", { CACHE_NAME: "api" }, /^CACHE_NAME: would shadow \/api/],
  ...["90", 0, -1, Number.NaN, null, true, 36_501].map((days): [string, Partial<Env>, RegExp] => [
    `retention_days = ${JSON.stringify(days)}`,
    { CACHES: { "nix-cache": { retention_days: days } } },
    /^CACHES\.nix-cache\.retention_days: must be a number above 0 .*; nothing is collected until it is$/,
  ]),
  [
    "max_size_gb as a text",
    { CACHES: { "nix-cache": { max_size_gb: "500" } } },
    /^CACHES\.nix-cache\.max_size_gb: must be/,
  ],
  [
    "a grace period shorter than a push",
    { GC_GRACE_SECONDS: 9 },
    /^GC_GRACE_SECONDS: must be a whole number/,
  ],
  // Times that are counted from it would be no dates: found by config.property.test.ts.
  [
    "a grace period that never ends",
    { GC_GRACE_SECONDS: 1e300 },
    /^GC_GRACE_SECONDS: must be a whole number from 10 to 999999999/,
  ],
  [
    "a variable with a letter missing",
    { PUSH_TOKN: "hidden-secret" },
    /^PUSH_TOKN: .* looks like PUSH_TOKEN;/,
  ],
  [
    "a setting as a variable",
    { RETENTION_DAYS: 30 },
    /^RETENTION_DAYS: .* setting retention_days of a cache/,
  ],
  ["a misspelt PULL_TOKEN", { PULL_TOKE: "hidden-secret" }, /^PULL_TOKE: .*PULL_TOKEN.*private until/],
  ["a misspelt CACHES", { CACHE: { "nix-cache": {} } }, /^CACHE: .*CACHES.*private until/],
  ["a setting beside the caches", { CACHES: { visibility: "private" } }, /^CACHES: has a mistake; the log/],
  [
    "a misspelt default cache",
    { CACHES: { "nix-cahce": { visibility: "private" } } },
    /^CACHES: has a mistake; the log/,
  ],
  [
    "a misspelt field of a rule",
    { OIDC: [{ isuer: "https://ci.example.org" }] },
    /^OIDC: rule 1: "isuer": unknown field; .*; issuer is probably meant$/,
  ],
  ["SIGNING_KEY without a name", { SIGNING_KEY: MATERIAL }, /^SIGNING_KEY: key 1: /],
  ["SIGNING_KEY with name and key exchanged", { SIGNING_KEY: `${MATERIAL}:a-1` }, /^SIGNING_KEY: key 1: /],
  ["SIGNING_KEY that is cut", { SIGNING_KEY: SECRET.slice(0, -8) }, /^SIGNING_KEY: key 1: /],
  ["SIGNING_KEY that is a public key", { SIGNING_KEY: PUBLIC }, /^SIGNING_KEY: key 1: /],
  ["the second of two SIGNING_KEYs", { SIGNING_KEY: `${SECRET} b-1:AAAA` }, /^SIGNING_KEY: key 2: /],
  ["SIGNING_KEY in quotes", { SIGNING_KEY: `"${SECRET}"` }, /^SIGNING_KEY: key 1: /],
  [
    "SIGNING_KEY whose halves differ",
    { SIGNING_KEY: SECRET.replace(/.{8}$/, "AAAAAA==") },
    /^SIGNING_KEY: key 1: /,
  ],
  ["SIGNING_KEY as broken JSON", { SIGNING_KEY: `["${SECRET}"` }, /^SIGNING_KEY: begins like a JSON list/],
  ["SIGNING_KEY that is a table", { SIGNING_KEY: { key: SECRET } }, /^SIGNING_KEY: must be keys/],
  ["SIGNING_KEY as a list of numbers", { SIGNING_KEY: [1] }, /^SIGNING_KEY: must be keys/],
  [
    "a secret key among the trusted",
    { TRUSTED_PUBLIC_KEYS: [PUBLIC, SECRET] },
    /^TRUSTED_PUBLIC_KEYS: key 2: /,
  ],
  ["TRUSTED_PUBLIC_KEYS without a name", { TRUSTED_PUBLIC_KEYS: "AAAA" }, /^TRUSTED_PUBLIC_KEYS: key 1: /],
  [
    "TRUSTED_PUBLIC_KEYS separated by commas",
    { TRUSTED_PUBLIC_KEYS: PUBLICS.join(",") },
    /^TRUSTED_PUBLIC_KEYS: /,
  ],
  ["TRUSTED_PUBLIC_KEYS that is no list", { TRUSTED_PUBLIC_KEYS: 7 }, /^TRUSTED_PUBLIC_KEYS: must be keys/],
];

describe("a mistake in what may have said that a cache is private makes it private", () => {
  test.each<[string, Record<string, unknown>]>([
    ["broken JSON", { CACHES: '{"nix-cache": {"visibility": "private"},}' }],
    ["no table", { CACHES: { "nix-cache": "private" } }],
    ["a misspelt setting", { CACHES: { "nix-cache": { visibilty: "private" } } }],
    ["a name that is refused", { CACHE_NAME: "acme_", CACHES: { acme_: { visibility: "private" } } }],
    ["a refused name of the default cache", { CACHE_NAME: "ACME", CACHES: { acme: {} } }],
  ])("%s", async (_, values) => {
    await store("nar/x", "secret");
    const cache = cacheWith(variables({ PUSH_TOKEN, ...values }));
    expect((await cache.get("/nar/x")).status).toBe(401);
    expect((await cache.get("/health")).text).not.toContain("acme");
  });

  test.each([
    ["no table", "private"],
    ["a misspelt setting", { visibilty: "private" }],
  ] as const)("of a named cache: %s", (_, entry) => {
    const { named, isPrivate } = parseConfig(variables({ CACHES: { team: entry } }));
    expect([named.get("team")?.isPrivate, isPrivate]).toEqual([true, false]);
  });

  test("an ADMIN_TOKEN that pushers or readers have is none", () => {
    expect(parseConfig(variables({ PUSH_TOKEN, ADMIN_TOKEN: PUSH_TOKEN })).adminToken).toBeUndefined();
    expect(parseConfig(variables({ PULL_TOKEN, ADMIN_TOKEN: PULL_TOKEN })).adminToken).toBeUndefined();
  });

  test("null is as if it were not there", async () => {
    const values = { TRUSTED_PUBLIC_KEYS: PUBLIC, CACHES: { team: { trusted_public_keys: null } } };
    const keys = await parseConfig(variables(values)).named.get("team")?.keys();
    expect(keys?.trusted.map(({ name }) => name)).toEqual(["a-1"]);
  });
});

test.each<[string, Record<string, unknown>]>([
  ["one key", { SIGNING_KEY: SECRET, CACHES: { team: {} } }],
  ["several keys of the default cache", { SIGNING_KEY: SECRETS, CACHES: { "nix-cache": { open: true } } }],
  ["keys that are named", { SIGNING_KEY: SECRETS, CACHES: { team: { signing_keys: ["b-1"] } } }],
  ["no key on purpose", { SIGNING_KEY: SECRETS, CACHES: { team: { signing_keys: [] } } }],
])("no mistake: %s", async (_, values) => {
  expect(await allProblems(parseConfig(variables(values)))).toEqual([]);
});

describe.each(MISTAKES)("a mistake: %s", (_, values, message) => {
  const bad = variables({ PUSH_TOKEN, ...values });
  const cache = cacheWith(bad);

  test("is one line that names the variable and shows no secret", async () => {
    const problems = await allProblems(parseConfig(bad));
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).toMatch(/^[^\n]{10,400}$/);
    for (const secret of [
      PUSH_TOKEN,
      MATERIAL,
      MATERIAL.slice(0, 20),
      MATERIAL.slice(20, 40),
      "hidden-secret",
    ]) {
      expect(problems[0]).not.toContain(secret);
    }
  });

  test("shows on /health and in the log", async () => {
    const health = await cache.get("/health");
    expect(health.status).toBe(200);
    expect(JSON.parse(health.text)).toMatchObject({
      status: "misconfigured",
      problems: [expect.stringMatching(message)],
    });
    expect(log).toHaveBeenCalledWith(expect.stringContaining("configuration: "));
    expect(JSON.stringify(log.mock.calls)).not.toContain(MATERIAL.slice(0, 20));
  });

  test("lets reads go on", async () => {
    await store("nar/x", "it");
    const { isPrivate, pushToken } = parseConfig(bad);
    // A cache that was meant to be private does not become public by a mistake: the push token still reads.
    const headers = isPrivate && pushToken ? { Authorization: `Bearer ${PUSH_TOKEN}` } : undefined;
    // With a refused CACHE_NAME the tokens are for a cache of another name.
    expect(await cache.get("/nar/x", headers)).toMatchObject({ status: 200, text: "it" });
  });

  test("refuses every write and says why", async () => {
    const nar = bytesOf("x");
    const [variable = ""] = Object.keys(values);
    for (const path of [`/${await narKeyOf(nar)}`, "/nix-cache-info"]) {
      const line = expectRefusal(await cache.put(path, nar), 403);
      expect(line).toMatch(/^writing is switched off/);
      expect(line).toContain(variable);
    }
    expect(await keys()).toEqual([]);
  });
});

test("a PULL_TOKEN that cannot be used does not make the cache public", async () => {
  const cache = cacheWith({ PULL_TOKEN: "  " });
  expectRefusal(await cache.get("/nix-cache-info"), 401);
  expect((await cache.get("/nix-cache-info", { Authorization: `Bearer ${PUSH_TOKEN}` })).status).toBe(200);
});

test("a bucket that is not bound is such a mistake, and not a crash", async () => {
  const cache = cacheWith(variables({ BUCKET: undefined }));
  const health = await cache.get("/health");
  expect(health.status).toBe(503);
  expect(JSON.parse(health.text)).toMatchObject({
    problems: [expect.stringMatching(/^BUCKET: no R2 bucket/)],
  });
  expectRefusal(await cache.get("/nar/x"), 503);
  expect(expectRefusal(await cache.put("/nix-cache-info", ""), 403)).toContain("BUCKET");
});

test("several mistakes all show", async () => {
  const health = await cacheWith(
    variables({ PRIORITY: "x", STORE_DIR: "x", SIGNING_KEY: "x", TRUSTED_PUBLIC_KEYS: "x" }),
  ).get("/health");
  const { problems } = JSON.parse(health.text) as { problems: string[] };
  expect(problems.map((problem) => problem.split(":")[0])).toEqual([
    "STORE_DIR",
    "PRIORITY",
    "SIGNING_KEY",
    "TRUSTED_PUBLIC_KEYS",
  ]);
});
