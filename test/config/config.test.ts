/** The configuration: what each variable may be. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { allProblems, configOf, parseConfig } from "../../src/config/config.ts";
import { cacheWith, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import {
  BUCKET,
  CATALOG,
  MATERIAL,
  PUBLIC,
  PUBLICS,
  SECRET,
  SECRETS,
  variables,
} from "../support/variables.ts";

afterEach(reset);
const log = captureLog();

test("without any variable there are the defaults", async () => {
  const config = parseConfig({ BUCKET, CATALOG });
  expect(config).toMatchObject({
    cacheName: "nix-cache",
    storeDir: "/nix/store",
    priority: 41,
    isPrivate: false,
    isOpen: false,
    problems: [],
  });
  expect([config.pushToken, config.pullToken, config.adminToken]).toEqual([undefined, undefined, undefined]);
  expect(await config.keys()).toEqual({ signing: [], trusted: [], problems: [] });
});

describe("what each variable may be", () => {
  test.each<[Record<string, unknown>, Record<string, unknown>]>([
    [{ PRIORITY: "30" }, { priority: 30 }],
    [{ PRIORITY: 30 }, { priority: 30 }],
    [{ PRIORITY: 0 }, { priority: 0 }],
    [{ PRIORITY: " 50\n" }, { priority: 50 }],
    [{ PRIORITY: "" }, { priority: 41 }],
    [{ STORE_DIR: "/gnu/store" }, { storeDir: "/gnu/store" }],
    [{ STORE_DIR: "/home/me/my_store-1.0+x" }, { storeDir: "/home/me/my_store-1.0+x" }],
    [{ STORE_DIR: "" }, { storeDir: "/nix/store" }],
    [{ CACHE_NAME: "team-1" }, { cacheName: "team-1" }],
    [{ CACHE_NAME: "" }, { cacheName: "nix-cache" }],
    [{ PUSH_TOKEN: " secret\n" }, { pushToken: "secret" }],
    [{ PUSH_TOKEN: "" }, { pushToken: undefined }],
    [{ PULL_TOKEN: "secret" }, { pullToken: "secret", isPrivate: true }],
    [{ PULL_TOKEN: "" }, { pullToken: undefined, isPrivate: false }],
    [{ ADMIN_TOKEN: "secret\n" }, { adminToken: "secret", isPrivate: false }],
    [{ ADMIN_TOKEN: "" }, { adminToken: undefined }],
    [{ CACHES: { "nix-cache": { open: true } } }, { isOpen: true }],
    [{ CACHES: ' {"nix-cache": {"open": true}}\n' }, { isOpen: true }],
    [{ CACHES: { "nix-cache": { open: false } } }, { isOpen: false }],
    [{ CACHES: { "nix-cache": {} } }, { isOpen: false }],
    [{ CACHES: {} }, { isOpen: false }],
    [{ CACHES: "" }, { isOpen: false }],
    [{ CACHES: {} }, { graceMs: 90_000_000 }],
    [
      { CACHES: { "nix-cache": { open: true, retention_days: 90, max_size_gb: 0.5 } } },
      { isOpen: true, retentionDays: 90, maxSizeBytes: 500_000_000 },
    ],
    [{ GC_GRACE_SECONDS: "60" }, { graceMs: 60_000 }],
    [{ GC_GRACE_SECONDS: 3600 }, { graceMs: 3_600_000 }],
    [
      { CACHE_NAME: "team-1", CACHES: { "team-1": { open: true } } },
      { cacheName: "team-1", isOpen: true },
    ],
  ])("%j", (values, expected) => {
    expect(parseConfig(variables(values))).toMatchObject({ ...expected, problems: [] });
  });

  test.each([
    ["one", SECRET, ["a-1"]],
    ["one with a newline", `${SECRET}\n`, ["a-1"]],
    ["several, separated by white space", SECRETS.join(" \n\t"), ["a-1", "b-1", "c-1"]],
    ["a list in TOML", SECRETS, ["a-1", "b-1", "c-1"]],
    ["a list in JSON text", ` ${JSON.stringify(SECRETS)}\n`, ["a-1", "b-1", "c-1"]],
    ["none", "", []],
    ["an empty list", [], []],
    ["an empty list in JSON text", "[]", []],
  ])("SIGNING_KEY: %s", async (_, value, names) => {
    const { signing, problems } = await parseConfig(variables({ SIGNING_KEY: value })).keys();
    expect([signing.map(({ name }) => name), problems]).toEqual([names, []]);
  });

  test.each([
    ["one", PUBLIC, ["a-1"]],
    ["several, separated by white space", PUBLICS.join("\n"), ["a-1", "b-1", "c-1"]],
    ["a list in TOML", PUBLICS, ["a-1", "b-1", "c-1"]],
    ["a list in TOML with several in one text", [PUBLICS.join(" ")], ["a-1", "b-1", "c-1"]],
    ["a list in JSON text", JSON.stringify(PUBLICS), ["a-1", "b-1", "c-1"]],
  ])("TRUSTED_PUBLIC_KEYS: %s", async (_, value, names) => {
    const { trusted, problems } = await parseConfig(variables({ TRUSTED_PUBLIC_KEYS: value })).keys();
    expect([trusted.map(({ name }) => name), problems]).toEqual([names, []]);
  });
});

test("is parsed once for an environment, and logged once", async () => {
  const bad = variables({ PRIORITY: "x", SIGNING_KEY: "x", PUSH_TOKEN });
  expect(configOf(bad)).toBe(configOf(bad));
  const config = configOf(bad);
  await Promise.all([config.keys(), config.keys(), allProblems(config)]);
  expect(log.mock.calls.map(([text]) => String(text).slice(0, 25))).toEqual([
    "configuration: PRIORITY: ",
    "configuration: SIGNING_KE",
  ]);
});

test("secrets are nowhere to be seen", async () => {
  const cache = cacheWith({ PULL_TOKEN, SIGNING_KEY: SECRET });
  for (const path of ["/health", "/", "/nix-cache-info", "/favicon.ico"]) {
    for (const authorization of [`Bearer ${PUSH_TOKEN}`, `Bearer ${PULL_TOKEN}`, "Bearer mistyped"]) {
      const { text, headers } = await cache.get(path, { Authorization: authorization });
      const all = `${text}${JSON.stringify([...headers])}`;
      for (const secret of [PUSH_TOKEN, PULL_TOKEN, "mistyped", MATERIAL]) expect(all).not.toContain(secret);
    }
  }
});
