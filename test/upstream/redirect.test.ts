/** `serve = "redirect"`: everybody's miss is answered with the narinfo of an upstream. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, expect, test } from "vitest";
import { cacheWith, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { testPath } from "../support/store-paths.ts";
import { createUpstream, type TestUpstream } from "../support/upstream.ts";

captureLog();
afterEach(() => reset());

const library = await testPath("library-1.0");
const missing = await testPath("missing-1.0");
const redirecting = ({ entry }: TestUpstream, more: object = {}) => ({
  ...entry,
  serve: "redirect",
  ...more,
});

test("a reader is sent to the upstream, and the edge may keep that", async () => {
  const upstream = await createUpstream();
  await upstream.has([library]);
  const cache = cacheWith({ UPSTREAMS: [redirecting(upstream)] });
  const { status, headers, text } = await cache.get(`/${library.key}`);
  expect([status, headers.get("Nix-Cache-Upstream")]).toEqual([200, upstream.url]);
  expect(text).toContain(`URL: ${upstream.url}/${library.narKey}\n`);
  expect(headers.get("Cache-Control")).toBe("public, max-age=3600");
  const asPusher = await cache.get(`/${library.key}`, { Authorization: `Bearer ${PUSH_TOKEN}` });
  expect(asPusher.headers.get("Cache-Control")).toBe("private, no-store");
});

test("of a private cache only its readers are", async () => {
  const upstream = await createUpstream();
  await upstream.has([library]);
  const cache = cacheWith({ UPSTREAMS: [redirecting(upstream)], PULL_TOKEN });
  expect((await cache.get(`/${library.key}`)).status).toBe(401);
  expect(await upstream.requests()).toEqual([]);
  const { status, headers } = await cache.get(`/${library.key}`, { Authorization: `Bearer ${PULL_TOKEN}` });
  expect([status, headers.get("Cache-Control")]).toEqual([200, "private, no-store"]);
});

test("what is missing everywhere is asked for once in an hour", async () => {
  const upstream = await createUpstream();
  const cache = cacheWith({ UPSTREAMS: [redirecting(upstream)] });
  for (let n = 0; n < 3; n++) {
    const { status, headers } = await cache.get(`/${missing.key}`);
    expect([status, headers.get("Cache-Control")]).toEqual([404, "no-store"]);
  }
  expect(await upstream.requests()).toHaveLength(1);
  // A pusher who has built it meanwhile, perhaps for the upstream, is told what is true now.
  await upstream.has([missing]);
  expect((await cache.get(`/${missing.key}`, { Authorization: `Bearer ${PUSH_TOKEN}` })).status).toBe(200);
});

test("a flood of random hashes costs one question each, and can be switched off", async () => {
  const upstream = await createUpstream();
  const cache = cacheWith({ UPSTREAMS: [redirecting(upstream)] });
  const paths = await Promise.all(Array.from({ length: 20 }, (_, n) => testPath(`random-${n}`)));
  for (const path of [...paths, ...paths]) await cache.get(`/${path.key}`);
  expect(await upstream.requests()).toHaveLength(20);
  const members = cacheWith({ UPSTREAMS: [redirecting(upstream, { anonymous: false })] });
  const another = `/${(await testPath("another")).key}`;
  for (const headers of [{}, { Authorization: "Bearer wrong" }, { Authorization: "nonsense" }]) {
    expect((await members.get(another, headers)).status).toBe(404);
  }
  expect(await upstream.requests()).toHaveLength(20);
});

test("a dead upstream delays readers for a moment only", async () => {
  const upstream = await createUpstream();
  await upstream.has([], { "*": { delay: 60_000 } });
  const cache = cacheWith({ UPSTREAMS: [redirecting(upstream)] });
  const begun = Date.now();
  for (let n = 0; n < 20; n++) {
    expect((await cache.get(`/${(await testPath(`path-${n}`)).key}`)).status).toBe(404);
  }
  expect(Date.now() - begun).toBeLessThan(6000);
});

test("caches that are each other's upstream do not ask in circles", async () => {
  const cache = cacheWith({
    UPSTREAMS: [],
    CACHES: {
      a: { upstreams: [{ url: "/b", serve: "redirect" }] },
      b: { upstreams: [{ url: "/a", serve: "redirect" }] },
    },
  });
  for (const name of ["a", "b"]) expect((await cache.get(`/${name}/${missing.key}`)).status).toBe(404);
});

test("HEAD is answered like GET, by named caches, too", async () => {
  const upstream = await createUpstream();
  await upstream.has([library]);
  const cache = cacheWith({ UPSTREAMS: [], CACHES: { a: { upstreams: [redirecting(upstream)] } } });
  const [get, head] = [await cache.get(`/a/${library.key}`), await cache.head(`/a/${library.key}`)];
  expect([get.status, head.status, head.text]).toEqual([200, 200, ""]);
  expect(head.headers.get("Content-Length")).toBe(`${get.bytes.length}`);
  expect((await cache.head(`/${library.key}`)).status).toBe(404);
});

test("only those upstreams that redirect are asked for a reader", async () => {
  const [pushers, all] = await Promise.all([createUpstream(), createUpstream()]);
  await pushers.has([library]);
  const cache = cacheWith({ UPSTREAMS: [pushers.entry, redirecting(all)] });
  expect((await cache.get(`/${library.key}`)).status).toBe(404);
  expect([await pushers.requests(), await all.requests()].map(({ length }) => length)).toEqual([0, 1]);
});
