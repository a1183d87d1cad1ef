/** The Worker as a whole: refusals before any bucket operation, and no request makes it fail. */
import { createExecutionContext, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import NixCache from "../src/index.ts";
import { ROUTES } from "../src/routes.ts";
import { type WatchedBucket, watch } from "./support/bucket.ts";
import { cacheWith, keys, PULL_TOKEN, PUSH_TOKEN } from "./support/cache.ts";
import { captureLog } from "./support/log.ts";
import { HASH, NAR_HASH, OBJECTS } from "./support/objects.ts";
import { expectRefusal } from "./support/refusal.ts";
import { SLOW_MS } from "./support/slow.ts";
import { push, testPath } from "./support/store-paths.ts";

afterEach(reset);
const log = captureLog();

const OBJECT_PATHS = OBJECTS.map(({ key }) => `/${key}`);

function watchedCache(): [ReturnType<typeof cacheWith>, WatchedBucket] {
  const watched = watch(env.BUCKET);
  return [cacheWith({ BUCKET: watched.bucket }), watched];
}

describe("a known path with a method that it does not answer: 405 and Allow", () => {
  test.each([
    ...[...OBJECT_PATHS, "/nix-cache-info"].flatMap((path) =>
      ["POST", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "MKCOL"].map((method) => [
        method,
        path,
        "GET, HEAD, PUT",
      ]),
    ),
    ...["/", "/health"].flatMap((path) =>
      ["PUT", "POST", "DELETE", "OPTIONS"].map((method) => [method, path, "GET, HEAD"]),
    ),
  ])("%s %s", async (method = "", path = "", allow = "") => {
    const [cache, watched] = watchedCache();
    const answer = await cache.fetch(path, { method, headers: { Authorization: `Bearer ${PUSH_TOKEN}` } });
    expect(answer.headers.get("Allow")).toBe(allow);
    expect(expectRefusal(answer, 405)).toContain(allow);
    expect(watched.operations).toEqual([]);
  });
});

describe("an unknown path: 404 by every method", () => {
  test.each(["GET", "PUT", "POST", "DELETE", "OPTIONS"])("%s", async (method) => {
    const [cache, watched] = watchedCache();
    for (const path of ["/favicon.ico", "/apiv1/x", "/nar", "/x.narinfo"]) {
      expectRefusal(await cache.fetch(path, { method }), 404);
    }
    // Refusals of the API are JSON (test/api/refusals.test.ts).
    expect(await cache.fetch("/api/v1/x", { method })).toMatchObject({ status: 404 });
    expect(watched.operations).toEqual([]);
    expect(cache.catalog.calls).toEqual([]);
  });

  test("HEAD: without a body", async () => {
    const answer = await cacheWith().head("/favicon.ico");
    expect([answer.status, answer.headers.get("Cache-Control"), answer.text]).toEqual([404, "no-store", ""]);
  });
});

describe("path tricks: 4xx, and the bucket is never asked", () => {
  test.each([
    `/nar/..%2f${HASH}.narinfo`,
    `/nar%2f${NAR_HASH}.nar`,
    `/nar/%2e%2e%2f${HASH}.narinfo`,
    `/nar/..;/${NAR_HASH}.nar/..%5c`,
    `/nar/${NAR_HASH}.nar%00.txt`,
    `/nar/%00`,
    `/${HASH}.narinfo%00`,
    `/${HASH}.narinfo%0a`,
    `//${HASH}.narinfo`,
    `/nar//${NAR_HASH}.nar`,
    `/nar/`,
    `/nix-cache-info/`,
    `/nar/a%5cb`,
    `/nar/${"a".repeat(1100)}`,
    `/${"a".repeat(20_000)}`,
    `/log/${HASH}-${"a".repeat(1100)}.drv`,
    `/log/${HASH}-a?${"b".repeat(1100)}.drv`,
    "/nar/é.nar",
    "/nar/%C3%A9.nar",
    "/nar/%F0%9F%92%A9",
    "/nar/%",
    "/nar/%zz",
    "/nar/%ff%fe",
    "/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "/../../etc/passwd",
    "/..%252f..%252fetc/passwd",
  ])("%s", async (path) => {
    for (const method of ["GET", "PUT"]) {
      const [cache, watched] = watchedCache();
      const answer = await cache.fetch(path, { method, headers: { Authorization: `Bearer ${PUSH_TOKEN}` } });
      expectRefusal(answer, answer.status);
      expect([400, 404, 414]).toContain(answer.status);
      expect([watched.operations, cache.catalog.calls]).toEqual([[], []]);
    }
    expect(await keys()).toEqual([]);
  });

  test("what the URL parser folds is the path that is left", async () => {
    // Clients and the runtime fold these before any Worker sees them.
    for (const path of ["/nar/../favicon.ico", "/nar/%2e%2e/favicon.ico", "/nar\\..\\favicon.ico"]) {
      const [cache, watched] = watchedCache();
      expectRefusal(await cache.get(path), 404);
      expect(watched.operations).toEqual([]);
    }
  });
});

test("a private cache forbids all caching, refusals included", async () => {
  const cache = cacheWith({ PULL_TOKEN });
  const withToken = { Authorization: `Bearer ${PULL_TOKEN}` };
  for (const path of ["/", "/health", "/nix-cache-info", `/${HASH}.narinfo`, "/nowhere", "/api/v1/stats"]) {
    for (const headers of [{}, withToken]) {
      const answer = await cache.get(path, headers);
      expect([path, answer.headers.get("Cache-Control")]).toEqual([path, "private, no-store"]);
    }
  }
});

describe("the cache in front of the Worker (ctx.cache, which is not there locally)", () => {
  test("is to drop a narinfo that has changed, and only then", async () => {
    const cache = cacheWith();
    const path = await testPath();
    const signed = `${path.text}Sig: a-1:${new Uint8Array(64).toBase64()}\n`;
    const purged: string[][] = [];
    for (const [text, status] of [
      [path.text, 201],
      [path.text, 200],
      [signed, 200],
      [path.text, 200],
    ] as const) {
      expect((await push(cache, path, text)).status).toBe(status);
      purged.push([...cache.catalog.purged]);
    }
    expect(purged).toEqual([[], [], [`/${path.key}`], [`/${path.key}`]]);
  });

  function purger(purge: (options: unknown) => Promise<unknown>) {
    return new NixCache(Object.assign(createExecutionContext(), { cache: { purge } }), env);
  }

  test("drops the paths that the catalog names, and all where they are too many for one call", async () => {
    const purged: unknown[] = [];
    const paths = Array.from({ length: 101 }, (_, index) => `/${index}`);
    const { purgeEdge } = NixCache.prototype;
    const worker = purger(async (options) => purged.push(options));
    for (const count of [0, 100, 101]) await purgeEdge.call(worker, paths.slice(0, count));
    expect(purged).toEqual([{ pathPrefixes: paths.slice(0, 100) }, { purgeEverything: true }]);
  });

  test("that fails does not fail the write, which has happened", async () => {
    const failing = () => Promise.reject(new Error("too many purges"));
    await expect(purger(failing).purgeEdge(["/x"])).resolves.toBeUndefined();
  });
});

test("CSRF: a cross-site request changes nothing with credentials that the browser remembers", async () => {
  const headers = { Authorization: `Bearer ${PUSH_TOKEN}`, "Sec-Fetch-Site": "cross-site" };
  const path = await testPath();
  const answer = await cacheWith().put(`/${path.narKey}`, path.nar, headers);
  expect([answer.status, await keys()]).toEqual([403, []]);
  expect((await cacheWith().get("/nix-cache-info", headers)).status).toBe(200);
});

test("every route is anchored, and its pattern stays linear", () => {
  for (const { pattern } of ROUTES) {
    expect(pattern.source).toMatch(/^\^\\\/.*\$$/);
    // One that backtracks would run into the test's time limit here.
    for (const text of ["a", "?", "/", "-", "."]) pattern.exec(`/log/${HASH}-${text.repeat(50_000)}`);
  }
});

test(
  "nothing that a client can send makes the Worker fail",
  async () => {
    const segment = fc.oneof(
      fc.constantFrom(
        "nar",
        "log",
        "..",
        "%2e",
        "%",
        "%00",
        "debuginfo",
        `${HASH}.narinfo`,
        `${HASH}-a?b.drv`,
      ),
      fc.webSegment(),
      fc.string(),
    );
    const path = fc.oneof(
      fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join("/")}`),
      fc.constantFrom(...OBJECT_PATHS, "/", "/health", "/nix-cache-info"),
    );
    const method = fc.constantFrom("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS");
    const header = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
    const headers = fc.record(
      {
        Authorization: fc.oneof(fc.constant(`Bearer ${PUSH_TOKEN}`), header),
        "Content-Length": fc.oneof(fc.nat().map(String), header),
        "Content-Encoding": fc.oneof(fc.constantFrom("br", "gzip", "zstd", "xz"), header),
        "If-None-Match": header,
        Range: header,
        Accept: header,
      },
      { requiredKeys: [], noNullPrototype: true },
    );
    const cache = cacheWith();
    await fc.assert(
      fc.asyncProperty(
        path,
        method,
        headers,
        fc.uint8Array({ maxLength: 64 }),
        async (at, verb, sent, bytes) => {
          const body = verb === "PUT" || verb === "POST" ? new Uint8Array(bytes) : null;
          const answer = await cache.fetch(at, { method: verb, headers: new Headers(sent), body });
          expect(answer.status).toBeLessThan(500);
          expect(answer.headers.has("Cache-Control")).toBe(true);
          if (answer.status >= 400 && verb !== "HEAD") expectRefusal(answer, answer.status);
          if (verb === "HEAD") expect(answer.text).toBe("");
        },
      ),
      { numRuns: 1000 },
    );
    expect(log).not.toHaveBeenCalled();
  },
  SLOW_MS,
);
