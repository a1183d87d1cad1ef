/** GET /health: what an operator must know, for few operations, whoever asks and however often. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { VERSION } from "../../src/contract/cache.ts";
import type { Env } from "../../src/env.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { failing, watch } from "../support/bucket.ts";
import { ADMIN_TOKEN, cacheWith } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";

const cache = cacheWith();

describe("GET /health", () => {
  const log = captureLog();

  test("is 200 and never kept", async () => {
    const [get, head] = [await cache.get("/health"), await cache.head("/health")];
    for (const { status, headers } of [get, head]) {
      expect(status).toBe(200);
      expect(headers.get("Content-Type")).toBe("application/json");
      expect(headers.get("Cache-Control")).toBe("no-store");
      expect(headers.get("Content-Length")).toBe(`${get.bytes.length}`);
    }
    expect(JSON.parse(get.text)).toEqual({
      status: "ok",
      version: VERSION,
      cache: "nix-cache",
      bucket: "ok",
      problems: [],
      notices: [],
      upstreams: [],
    });
    expect(head.text).toBe("");
  });

  test("is 503 when the bucket does not answer, and says so in the log only", async () => {
    const { bucket } = watch(
      env.BUCKET,
      failing(() => true),
    );
    const ill = cacheWith({ BUCKET: bucket, CACHE_NAME: "other" });
    const [get, head] = [await ill.get("/health"), await ill.head("/health")];
    expect([get.status, head.status, get.headers.get("Cache-Control")]).toEqual([503, 503, "no-store"]);
    expect(JSON.parse(get.text)).toEqual({
      status: "unavailable",
      version: VERSION,
      cache: "other",
      bucket: "unavailable",
      problems: [],
      notices: [],
      upstreams: [],
    });
    expect(log).toHaveBeenCalledWith("bucket head failed", expect.any(Error));
  });

  test("names the upstreams, but no private cache", async () => {
    const upstreams = async (variables: Partial<Env>) =>
      JSON.parse((await cacheWith(variables).get("/health")).text).upstreams;
    expect(await upstreams({ UPSTREAMS: "" })).toEqual([
      { url: "https://cache.nixos.org", serve: "pushers" },
    ]);
    const CACHES = { base: { visibility: "private" } };
    expect(await upstreams({ UPSTREAMS: ["/base"], CACHES, PULL_TOKEN: "pull" })).toEqual([]);
  });

  test("has the right length in bytes", async () => {
    // A key whose halves do not belong together is named in the problem; a long name is cut by an ellipsis.
    const halves = await Promise.all(["a-1", "b-1"].map((name) => generateSecretKey(name)));
    const [first, second] = halves.map(({ secret }) => Uint8Array.fromBase64(secret.slice(4)));
    if (first === undefined || second === undefined) throw new Error("no keys");
    const mixed = new Uint8Array([...first.subarray(0, 32), ...second.subarray(32)]).toBase64();
    const answer = await cacheWith({ SIGNING_KEY: `${"k".repeat(300)}:${mixed}` }).get("/health");
    expect(answer.headers.get("Content-Length")).toBe(`${answer.bytes.length}`);
    expect(JSON.parse(answer.text)).toMatchObject({ problems: [expect.stringMatching(/^SIGNING_KEY: .*…/)] });
  });
});

type Answer = () => unknown;

/** A catalog that has these notices, and counts how often it is asked. */
function catalogOf(answer: Answer): { CATALOG: DurableObjectNamespace<Catalog>; asked: string[] } {
  const asked: string[] = [];
  const getByName = (name: string) => ({
    notices: async () => {
      asked.push(name);
      return await answer();
    },
  });
  return { CATALOG: { getByName } as unknown as DurableObjectNamespace<Catalog>, asked };
}

const WARNED = () => ({ ok: true, value: ["check: it has found something"] });
const SILENT = () => ({ ok: true, value: [] });

describe("the status, and 503 for ?strict=1 where it is not ok", () => {
  captureLog();
  const { bucket } = watch(
    env.BUCKET,
    failing(() => true),
  );

  test.each<[string, Partial<Env>, Answer, string, number, number, RegExp | undefined]>([
    ["all is well", {}, SILENT, "ok", 200, 200, undefined],
    ["the catalog has a notice", {}, WARNED, "warning", 200, 503, /^check: /],
    [
      "the catalog throws",
      {},
      () => Promise.reject(new Error("x")),
      "warning",
      200,
      503,
      /^catalog: it does not/,
    ],
    [
      "nobody may push",
      { PUSH_TOKEN: "" },
      SILENT,
      "warning",
      200,
      503,
      /^writes: refused, because no credential/,
    ],
    ["ADMIN_TOKEN may push", { PUSH_TOKEN: "", ADMIN_TOKEN }, SILENT, "ok", 200, 200, undefined],
    [
      "minted tokens may push",
      { PUSH_TOKEN: "", TOKEN_SECRET: "x".repeat(32) },
      SILENT,
      "ok",
      200,
      200,
      undefined,
    ],
    ["a mistake", { PRIORITY: "x" }, SILENT, "misconfigured", 200, 503, undefined],
    ["no bucket", { BUCKET: bucket }, SILENT, "unavailable", 503, 503, undefined],
  ])("%s", async (_, variables, answer, status, plain, strict, notice) => {
    const on = cacheWith({ ...variables, CATALOG: catalogOf(answer).CATALOG });
    const get = await on.get("/health");
    expect(JSON.parse(get.text)).toMatchObject({
      status,
      notices: notice === undefined ? [] : [expect.stringMatching(notice)],
    });
    expect(get.status).toBe(plain);
    for (const query of ["strict=1", "a=b&strict=1"]) {
      expect([(await on.get(`/health?${query}`)).status, (await on.head(`/health?${query}`)).status]).toEqual(
        [strict, strict],
      );
    }
    expect((await on.get("/health?strict=0")).status).toBe(plain);
  });

  test.each<[string, unknown, string]>([
    ["for this cache", ["team"], "ok"],
    ["for another cache", ["other"], "warning"],
  ])("of a named cache: a rule %s", async (_, caches, status) => {
    const OIDC = [
      {
        issuer: "https://ci.example.org",
        audience: "x",
        claims: { sub: "a" },
        permissions: ["push"],
        caches,
      },
    ];
    const on = cacheWith({ OIDC, CACHES: { team: {}, other: {} }, CATALOG: catalogOf(SILENT).CATALOG });
    expect(JSON.parse((await on.get("/team/health")).text)).toMatchObject({ cache: "team", status });
  });
});

describe("however many ask", () => {
  captureLog();
  beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
  afterEach(() => void vi.useRealTimers());

  test("the catalog is asked once in half a minute, at the same time as well", async () => {
    const { CATALOG, asked } = catalogOf(WARNED);
    const on = cacheWith({ CATALOG });
    await Promise.all(Array.from({ length: 50 }, () => on.get("/health?strict=1")));
    for (let count = 0; count < 50; count++) {
      expect((await on.get("/health")).text).toContain("it has found something");
    }
    expect(asked).toEqual(["nix-cache"]);
    vi.setSystemTime(Date.now() + 31_000);
    await on.get("/health");
    expect(asked).toHaveLength(2);
  });

  test("also one that fails", async () => {
    const { CATALOG, asked } = catalogOf(() => Promise.reject(new Error("x")));
    const on = cacheWith({ CATALOG });
    for (let count = 0; count < 20; count++) await on.get("/health");
    expect(asked).toHaveLength(1);
  });

  test("and nobody's question wakes the catalog of a cache that is not there", async () => {
    const { CATALOG, asked } = catalogOf(SILENT);
    const on = cacheWith({ CATALOG, CACHES: { secret: { visibility: "private" } } });
    for (const name of ["secret", "nothing", "a", "b"]) await on.get(`/${name}/health`);
    expect(asked).toEqual([]);
  });
});
