/** What a cache says of itself: /nix-cache-info, the front page and /health. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { failing, watch } from "../support/bucket.ts";
import { basic, cacheWith, keys, PULL_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { expectRefusal } from "../support/refusal.ts";

const cache = cacheWith();
const TEXT = "StoreDir: /nix/store\nWantMassQuery: 1\nPriority: 41\n";

describe.each([
  ["/nix-cache-info", "text/x-nix-cache-info", null],
  ["/", "text/plain; charset=utf-8", "Accept, Authorization"],
])("GET %s", (path, contentType, vary) => {
  test("is made from the configuration", async () => {
    const [get, head] = [await cache.get(path), await cache.head(path)];
    for (const { status, headers } of [get, head]) {
      expect(status).toBe(200);
      expect(headers.get("Content-Type")).toBe(contentType);
      expect(headers.get("Content-Length")).toBe(`${TEXT.length}`);
      expect(headers.get("Cache-Control")).toBe("public, max-age=3600");
      expect(headers.get("Accept-Ranges")).toBe("bytes");
      expect(headers.get("Vary")).toBe(vary);
      expect(headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
    }
    expect([get.text, head.text]).toEqual([TEXT, ""]);
    const other = await cacheWith({ STORE_DIR: "/gnu/store", PRIORITY: 10 }).get(path);
    expect(other.text).toBe("StoreDir: /gnu/store\nWantMassQuery: 1\nPriority: 10\n");
    expect(other.headers.get("ETag")).not.toBe(get.headers.get("ETag"));
  });

  test("of a private cache is not cached", async () => {
    const answer = await cacheWith({ PULL_TOKEN }).get(path, { Authorization: basic("", PULL_TOKEN) });
    expect([answer.status, answer.headers.get("Cache-Control")]).toEqual([200, "private, no-store"]);
  });

  test("answers conditions", async () => {
    const etag = (await cache.get(path)).headers.get("ETag") ?? "";
    const yesterday = new Date(Date.now() - 86_400_000).toUTCString();
    const tomorrow = new Date(Date.now() + 86_400_000).toUTCString();
    expect(await cache.get(path, { "If-None-Match": etag })).toMatchObject({ status: 304, text: "" });
    expect(await cache.head(path, { "If-None-Match": `W/${etag}` })).toMatchObject({ status: 304 });
    expect(await cache.get(path, { "If-None-Match": '"x"' })).toMatchObject({ status: 200, text: TEXT });
    expectRefusal(await cache.get(path, { "If-Match": '"x"' }), 412);
    // It has no date, so conditions on dates mean nothing (13.1.3, 13.1.4).
    expect(await cache.get(path, { "If-Modified-Since": tomorrow })).toMatchObject({ status: 200 });
    expect(await cache.get(path, { "If-Unmodified-Since": yesterday })).toMatchObject({ status: 200 });
  });

  test("answers ranges", async () => {
    const part = await cache.get(path, { Range: "bytes=0-7" });
    expect([part.status, part.headers.get("Content-Range"), part.text]).toEqual([
      206,
      `bytes 0-7/${TEXT.length}`,
      "StoreDir",
    ]);
    const outside = await cache.get(path, { Range: "bytes=999-" });
    expect(outside.headers.get("Content-Range")).toBe(`bytes */${TEXT.length}`);
    expectRefusal(outside, 416);
    expect(await cache.get(path, { Range: "bytes=999-", "If-Range": '"x"' })).toMatchObject({ text: TEXT });
    expect(await cache.get(path, { Range: "bytes=0-1,3-4" })).toMatchObject({ status: 200, text: TEXT });
    expect(await cache.head(path, { Range: "bytes=0-7" })).toMatchObject({ status: 200 });
  });

  test("asks the bucket nothing", async () => {
    const watched = watch(env.BUCKET);
    await cacheWith({ BUCKET: watched.bucket }).get(path);
    expect(watched.operations).toEqual([]);
  });
});

describe("PUT /nix-cache-info, which every Nix sends to a store that has none", () => {
  test.each([
    ["of Nix", "StoreDir: /nix/store\n"],
    ["of a copy of this cache", TEXT],
    ["with another WantMassQuery", "StoreDir: /nix/store\nWantMassQuery: 0\n"],
    ["with fields that only others know", "StoreDir: /nix/store\nX-Y: z\nno colon\n"],
    ["that says nothing", ""],
  ])("%s agrees", async (_, text) => {
    expect((await cache.put("/nix-cache-info", text)).status).toBe(200);
    expect(await keys()).toEqual([]);
  });

  test.each([
    ["another store", "StoreDir: /gnu/store\n", 409, /STORE_DIR/],
    ["another priority", "StoreDir: /nix/store\nPriority: 30\n", 409, /PRIORITY/],
    ["a priority that is none", "Priority: high\n", 400, /Priority/],
    ["no text", new Uint8Array([0xff, 0xfe]), 400, /UTF-8/],
    ["too much", `X: ${"x".repeat(4096)}\n`, 413, /4096/],
  ])("%s is refused", async (_, text, status, message) => {
    expect(expectRefusal(await cache.put("/nix-cache-info", text), status)).toMatch(message);
    expect(await keys()).toEqual([]);
  });

  test("agrees with what is configured, not with the default", async () => {
    const other = cacheWith({ STORE_DIR: "/gnu/store", PRIORITY: "30" });
    expect((await other.put("/nix-cache-info", "StoreDir: /gnu/store\nPriority: 30\n")).status).toBe(200);
    expectRefusal(await other.put("/nix-cache-info", "StoreDir: /nix/store\n"), 409);
  });
});

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
      cache: "nix-cache",
      bucket: "ok",
      problems: [],
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
      cache: "other",
      bucket: "unavailable",
      problems: [],
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
