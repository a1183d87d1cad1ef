/** What pages of other sites may make a browser do here: read what is public, and change nothing. */
// @module-tag slow
import { createExecutionContext, reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { handle } from "../../src/index.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { failing, watch } from "../support/bucket.ts";
import { ADMIN_TOKEN, cacheWith, contents, type HeaderList, ORIGIN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { SCENES, send } from "../support/scenes.ts";
import { testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith({
  ADMIN_TOKEN,
  LISTING: "public",
  TOKEN_SECRET: "x".repeat(32),
  SIGNING_KEY: (await generateSecretKey("sites-1")).secret,
});
const path = await testPath();

const FOREIGN: readonly HeaderList[] = [
  ...["cross-site", "same-site", "", "Same-Origin", "none, cross-site", "x"].map((site) => ({
    "Sec-Fetch-Site": site,
  })),
  ...[
    "null",
    "",
    "https://evil.example",
    ORIGIN.replace("https", "http"),
    `${ORIGIN}:8443`,
    `${ORIGIN}.evil.example`,
    "https://example.org",
    `${ORIGIN} https://evil.example`,
    "*",
  ].map((origin) => ({ Origin: origin })),
  { "Sec-Fetch-Site": "same-origin", Origin: "https://evil.example" },
  { "Sec-Fetch-Site": "cross-site", Origin: ORIGIN },
];

const OWN: readonly HeaderList[] = [
  {},
  { "Sec-Fetch-Site": "same-origin" },
  { "Sec-Fetch-Site": "none" },
  { Origin: ORIGIN },
  { Origin: `${ORIGIN}:443` },
  { Origin: ORIGIN, "Sec-Fetch-Site": "same-origin" },
];

describe.each(FOREIGN)("%j", (headers) => {
  test("changes nothing", async () => {
    const answer = await cache.put(`/${path.narKey}`, path.nar, headers);
    expect([answer.status, await contents()]).toEqual([403, {}]);
    expect(answer.text).toMatch(/^this request comes from the page of another site .*\n$/);
  });

  test("may read", async () => {
    expect((await cache.get("/nix-cache-info", headers)).status).toBe(200);
  });
});

test.each(OWN)("%j may change something", async (headers) => {
  expect((await cache.put(`/${path.narKey}`, path.nar, headers)).status).toBe(201);
});

test("our own origin is that of the request, whatever its case and port", async () => {
  const status = async (url: string, origin: string) => {
    const headers = { Origin: origin, Authorization: `Bearer ${PUSH_TOKEN}` };
    const request = new Request(url, { method: "PUT", body: "StoreDir: /nix/store\n", headers });
    return (await handle(request, { ...env, PUSH_TOKEN }, createExecutionContext())).status;
  };
  expect(await status("http://localhost:8787/nix-cache-info", "http://localhost:8787")).toBe(200);
  expect(await status("http://localhost:8787/nix-cache-info", "http://localhost")).toBe(403);
  expect(await status("http://localhost:8787/nix-cache-info", "http://127.0.0.1:8787")).toBe(403);
});

const CHANGING = SCENES.filter(({ method }) => method !== "GET" && method !== "HEAD");

describe.each(CHANGING.map((scene) => [`${scene.method} ${scene.path}`, scene] as const))(
  "%s",
  (_, scene) => {
    test("is refused", async () => {
      const request = { ...scene, ...(await scene.prepare?.(cache)) };
      const before = await contents();
      for (const headers of [{ "Sec-Fetch-Site": "cross-site" }, { Origin: "null" }]) {
        const foreign = {
          ...cache,
          fetch: (to: string, init: RequestInit = {}) =>
            cache.fetch(to, { ...init, headers: { ...(init.headers as HeaderList), ...headers } }),
        };
        const answer = await send(foreign, request);
        expect([answer.status, answer.text]).toEqual([403, expect.stringContaining("another site")]);
      }
      expect(await contents()).toEqual(before);
    });
  },
);

test.each(["PATCH", "DELETE", "POST", "PUT"])("%s of what has no route is refused, too", async (method) => {
  expect((await cache.fetch("/nowhere", { method, headers: { Origin: "null" } })).status).toBe(403);
});

describe("no browser may guess a content type", () => {
  test.each(SCENES.map((scene) => [`${scene.method} ${scene.path}`, scene] as const))(
    "%s",
    async (_, scene) => {
      const answer = await send(cache, { ...scene, ...(await scene.prepare?.(cache)) });
      expect(answer.headers.get("X-Content-Type-Options")).toBe("nosniff");
    },
  );

  test.each<[string, string, RequestInit, number]>([
    ["a page that is not there", "/nowhere", {}, 404],
    ["a path that cannot be", "/nar/%00", {}, 400],
    ["a method that is not allowed", "/health", { method: "DELETE" }, 405],
    ["OPTIONS", "/", { method: "OPTIONS" }, 405],
    ["no permission", "/api/v1/tokens", {}, 401],
    ["a wrong cursor", "/api/v1/paths?limit=x", {}, 400],
    ["a page of another site", "/nix-cache-info", { method: "PUT", headers: { Origin: "null" } }, 403],
    ["a part", "/nix-cache-info", { headers: { Range: "bytes=0-3" } }, 206],
    ["no such part", "/nix-cache-info", { headers: { Range: "bytes=999-" } }, 416],
    ["an S3 client's mistake", "/?list-type=2&max-keys=x", {}, 400],
  ])("%s", async (_, to, init, status) => {
    const answer = await cache.fetch(to, init);
    expect([answer.status, answer.headers.get("X-Content-Type-Options")]).toEqual([status, "nosniff"]);
  });

  test("304, HEAD, a private cache and an outage", async () => {
    const etag = (await cache.get("/")).headers.get("ETag") ?? "";
    const { bucket } = watch(
      env.BUCKET,
      failing(() => true),
    );
    const answers = [
      await cache.get("/", { "If-None-Match": etag }),
      await cache.head("/nowhere"),
      await cacheWith({ PULL_TOKEN: "x" }).get("/"),
      await cacheWith({ BUCKET: bucket }).get("/health"),
    ];
    expect(answers.map(({ status }) => status)).toEqual([304, 404, 401, 503]);
    for (const { headers } of answers) expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  });
});
