/** Reading: each kind of object with the headers that its clients and the caches on the way need. */
import { createExecutionContext, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { handle } from "../../src/index.ts";
import { watch } from "../support/bucket.ts";
import { basic, cacheWith, ORIGIN, PULL_TOKEN, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf } from "../support/store-paths.ts";

afterEach(reset);

const cache = cacheWith();
const AUTHORIZATION = { Authorization: basic("nix", PULL_TOKEN) };

describe.each(OBJECTS)("a $kind", ({ kind, key, body, contentType, cacheControl }) => {
  test("GET gives it, HEAD the same without the body", async () => {
    // What another tool has said of the type does not count.
    const object = await store(key, body, { contentType: "image/png" });
    const expected = {
      "accept-ranges": "bytes",
      "cache-control": cacheControl,
      "content-length": `${bytesOf(body).length}`,
      "content-type": contentType,
      etag: object.httpEtag,
      "last-modified": object.uploaded.toUTCString(),
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "*",
      "x-content-type-options": "nosniff",
    };
    const [get, head] = [await cache.get(`/${key}`), await cache.head(`/${key}`)];
    expect([get.status, head.status]).toEqual([200, 200]);
    expect(Object.fromEntries(get.headers)).toEqual(expected);
    expect(Object.fromEntries(head.headers)).toEqual(expected);
    expect(get.text).toBe(body);
    expect(head.text).toBe("");
  });

  test("of no bytes", async () => {
    await store(key, "");
    const [get, head] = [await cache.get(`/${key}`), await cache.head(`/${key}`)];
    expect([get.status, head.status, get.text]).toEqual([200, 200, ""]);
    expect([get.headers.get("Content-Length"), head.headers.get("Content-Length")]).toEqual(["0", "0"]);
  });

  test("that is not there is a 404, which is not cached", async () => {
    const get = await cache.get(`/${key}`);
    expect(expectRefusal(get, 404)).toBe(`no such ${kind} in this cache\n`);
    const head = await cache.head(`/${key}`);
    expect([head.status, head.headers.get("Cache-Control"), head.text]).toEqual([404, "no-store", ""]);
  });

  test("of a private cache is not cached", async () => {
    const privateCache = cacheWith({ PULL_TOKEN });
    const { httpEtag } = await store(key, body);
    const answers: [number, Record<string, string>][] = [
      [200, {}],
      [206, { Range: "bytes=0-1" }],
      [304, { "If-None-Match": httpEtag }],
    ];
    for (const [status, headers] of answers) {
      const response = await privateCache.get(`/${key}`, { ...AUTHORIZATION, ...headers });
      expect([response.status, response.headers.get("Cache-Control")]).toEqual([status, "private, no-store"]);
    }
    const head = await privateCache.head(`/${key}`, AUTHORIZATION);
    expect(head.headers.get("Cache-Control")).toBe("private, no-store");
    await env.BUCKET.delete(key);
    expectRefusal(await privateCache.get(`/${key}`, AUTHORIZATION), 404);
  });

  test("an unknown query changes nothing", async () => {
    await store(key, body);
    for (const query of ["?", "?x", "?hash=abc&x=%zz", "?a=1/2", "?../..", "?%00"]) {
      expect((await cache.get(`/${key}${query}`)).text).toBe(body);
    }
  });
});

test("a hit adds nothing to the body's path: the bucket's stream is the response's", async () => {
  await store("nar/x.nar", "an archive");
  for (const headers of [{}, { Range: "bytes=1-3" }]) {
    let body: unknown;
    const { bucket } = watch(env.BUCKET, { after: (_, object) => (body = (object as R2ObjectBody).body) });
    const request = new Request(`${ORIGIN}/nar/x.nar`, { headers });
    const response = await handle(request, { ...env, BUCKET: bucket }, createExecutionContext());
    expect(body).toBeInstanceOf(ReadableStream);
    expect(response.body).toBe(body);
    await response.arrayBuffer();
  }
});

test("a body of many chunks arrives as it is", async () => {
  const bytes = new Uint8Array(3 * 1024 * 1024 + 7);
  for (let index = 0; index < bytes.length; index++) bytes[index] = index * 2654435761;
  await store("nar/big.nar", bytes);
  expect((await cache.get("/nar/big.nar")).bytes).toEqual(bytes);
});
