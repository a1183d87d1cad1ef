/** What a request costs: R2 operations by class and catalog calls, as design.md's table "What a request may cost" allows. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { type Answer, cacheWith, PUSH_TOKEN, store, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { HASH, METADATA, OBJECTS } from "../support/objects.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const path = await testPath();
const otherBuild = await testPath("hello-1.0", "another build");
const unknown = await compressedPath("unknown");
const referring = await testPath("referring-1.0", "referring", {
  references: [path.info.storePath.baseName],
});
const signed = `${path.text}Sig: a-1:${new Uint8Array(64).toBase64()}\n`;
const LOG = `log/${HASH}-demo.drv`;

interface Case {
  readonly name: string;
  readonly status: number;
  readonly A: number;
  readonly B: number;
  /** Calls of the catalog; absent where there is none. */
  readonly calls?: number;
  readonly prepare?: () => Promise<unknown>;
  readonly request: (cache: TestCache) => Promise<Answer>;
}

const digits = () => store("nar/digits", "0123456789");

const READS: Case[] = [
  ...OBJECTS.flatMap(({ kind, key }): Case[] => [
    {
      name: `GET ${kind}, hit`,
      status: 200,
      A: 0,
      B: 1,
      prepare: () => store(key, "x"),
      request: (on) => on.get(`/${key}`),
    },
    {
      name: `HEAD ${kind}, hit`,
      status: 200,
      A: 0,
      B: 1,
      prepare: () => store(key, "x"),
      request: (on) => on.head(`/${key}`),
    },
    { name: `GET ${kind}, miss`, status: 404, A: 0, B: 1, request: (on) => on.get(`/${key}`) },
    { name: `HEAD ${kind}, miss`, status: 404, A: 0, B: 1, request: (on) => on.head(`/${key}`) },
  ]),
  ...["bytes=0-0", "bytes=2-4", "bytes=2-", "bytes=-3", "bytes=-99", "bytes=0-1,3-4", "nonsense"].map(
    (Range): Case => ({
      name: `GET, Range: ${Range}`,
      status: /^bytes=[0-9-]+$/.test(Range) ? 206 : 200,
      A: 0,
      B: 1,
      prepare: digits,
      request: (on) => on.get("/nar/digits", { Range }),
    }),
  ),
  ...[{ "If-None-Match": "*" }, { "If-None-Match": "*", Range: "bytes=0-1" }].map(
    (headers): Case => ({
      name: `GET, ${JSON.stringify(headers)}`,
      status: 304,
      A: 0,
      B: 1,
      prepare: digits,
      request: (on) => on.get("/nar/digits", headers),
    }),
  ),
  {
    name: "GET, If-Match that does not hold",
    status: 412,
    A: 0,
    B: 1,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { "If-Match": '"x"' }),
  },
  {
    name: "GET, If-Range that holds",
    status: 206,
    A: 0,
    B: 1,
    prepare: digits,
    request: async (on) => {
      const etag = (await env.BUCKET.head("nar/digits"))?.httpEtag ?? "";
      return on.get("/nar/digits", { Range: "bytes=0-1", "If-Range": etag });
    },
  },
  {
    name: "GET, decoded",
    status: 200,
    A: 0,
    B: 1,
    prepare: () => store(LOG, new Uint8Array(gzipSync("x")), { contentEncoding: "gzip" }),
    request: (on) => on.get(`/${LOG}`),
  },
];

/** A second operation where the first could not know: rare, and none of them is sent by Nix for a whole object. */
const RARE_READS: Case[] = [
  {
    name: "GET, a range past the end, whose answer needs the size",
    status: 416,
    A: 0,
    B: 2,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { Range: "bytes=10-" }),
  },
  {
    name: "GET, an If-Range that does not hold, which gets the whole",
    status: 200,
    A: 0,
    B: 2,
    prepare: digits,
    request: (on) => on.get("/nar/digits", { Range: "bytes=0-1", "If-Range": '"x"' }),
  },
  {
    name: "GET, a range of what has to be decoded, which gets the whole",
    status: 200,
    A: 0,
    B: 2,
    prepare: () => store(LOG, new Uint8Array(gzipSync("x")), { contentEncoding: "gzip" }),
    request: (on) => on.get(`/${LOG}`, { Range: "bytes=0-1" }),
  },
];

const NO_OBJECTS: Case[] = [
  { name: "GET /nix-cache-info", status: 200, A: 0, B: 0, request: (on) => on.get("/nix-cache-info") },
  { name: "PUT /nix-cache-info", status: 200, A: 0, B: 0, request: (on) => on.put("/nix-cache-info", "") },
  { name: "GET /", status: 200, A: 0, B: 0, request: (on) => on.get("/") },
  { name: "GET /health", status: 200, A: 0, B: 1, request: (on) => on.get("/health") },
  {
    name: "POST /api/v1/missing",
    status: 200,
    A: 0,
    B: 0,
    calls: 1,
    request: (on) => on.fetch("/api/v1/missing", { method: "POST", body: `{"paths": ["${HASH}"]}` }),
  },
  { name: "GET of an unknown path", status: 404, A: 0, B: 0, request: (on) => on.get("/favicon.ico") },
  {
    name: "DELETE",
    status: 405,
    A: 0,
    B: 0,
    request: (on) => on.fetch(`/${path.key}`, { method: "DELETE" }),
  },
  {
    name: "PUT without a token",
    status: 401,
    A: 0,
    B: 0,
    request: (on) => on.fetch(`/${path.key}`, { method: "PUT" }),
  },
];

/** Of a pusher, who asks before uploading and relies on the answer. */
const asPusher = { Authorization: `Bearer ${PUSH_TOKEN}` };

const WRITES: Case[] = [
  {
    name: "HEAD nar by a pusher, hit",
    status: 200,
    A: 0,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.head(`/${path.narKey}`, asPusher),
  },
  {
    name: "HEAD nar by a pusher, miss",
    status: 404,
    A: 0,
    B: 1,
    calls: 1,
    request: (on) => on.head(`/${path.narKey}`, asPusher),
  },
  {
    name: "HEAD narinfo by a pusher",
    status: 404,
    A: 0,
    B: 1,
    request: (on) => on.head(`/${path.key}`, asPusher),
  },
  {
    // What the cache in front makes of a HEAD.
    name: "GET nar by a pusher",
    status: 404,
    A: 0,
    B: 1,
    calls: 1,
    request: (on) => on.get(`/${path.narKey}`, asPusher),
  },
  {
    name: "PUT nar",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT nar, there already",
    status: 200,
    A: 0,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT nar, wrong",
    status: 400,
    A: 1,
    B: 1,
    calls: 1,
    request: (on) => on.put(`/${path.narKey}`, "wrong"),
  },
  {
    name: "PUT narinfo",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo with references",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: async () => {
      await push(cache, path);
      await cache.put(`/${referring.narKey}`, referring.nar);
    },
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
  {
    name: "PUT narinfo, signed with two keys",
    status: 201,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo, there already: a put that holds only where it is there no more",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo, with a new signature",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo of another build",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: () => push(cache, path),
    request: (on) => on.put(`/${otherBuild.key}`, otherBuild.text),
  },
  {
    name: "PUT narinfo without its NAR",
    status: 409,
    A: 0,
    B: 1,
    calls: 1,
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  { name: "PUT narinfo, malformed", status: 400, A: 0, B: 0, request: (on) => on.put(`/${path.key}`, "x") },
  ...METADATA.map(
    ({ kind, key, body }): Case => ({
      name: `PUT ${kind}`,
      status: 201,
      A: 1,
      B: 0,
      calls: 1,
      request: (on) => on.put(`/${key}`, body),
    }),
  ),
];

/** Once in the life of an object, or where something is wrong. */
const RARE_WRITES: Case[] = [
  {
    name: "PUT narinfo whose NAR has no checksum: hashed by the bucket, once",
    status: 201,
    A: 2,
    B: 2,
    calls: 1,
    prepare: () => store(unknown.narKey, unknown.nar),
    request: (on) => on.put(`/${unknown.key}`, unknown.text),
  },
  {
    name: "PUT narinfo over one whose NAR has gone",
    status: 200,
    A: 1,
    B: 2,
    calls: 1,
    prepare: async () => {
      await push(cache, otherBuild);
      await env.BUCKET.delete(otherBuild.narKey);
      await cache.put(`/${path.narKey}`, path.nar);
    },
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo over one that has gone",
    status: 200,
    A: 1,
    B: 1,
    calls: 1,
    prepare: async () => {
      await push(cache, path);
      await env.BUCKET.delete(path.key);
    },
    request: (on) => on.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT narinfo over one that another tool has written",
    status: 200,
    A: 2,
    B: 3,
    calls: 1,
    prepare: async () => {
      await cache.put(`/${path.narKey}`, path.nar);
      await store(path.key, path.text);
    },
    request: (on) => on.put(`/${path.key}`, signed),
  },
  {
    name: "PUT narinfo with a reference that only the bucket knows",
    status: 201,
    A: 1,
    B: 2,
    calls: 1,
    prepare: async () => {
      await store(path.key, path.text);
      await cache.put(`/${referring.narKey}`, referring.nar);
    },
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
  {
    name: "PUT narinfo with a reference that is not there: looked up before it is refused",
    status: 409,
    A: 0,
    B: 2,
    calls: 1,
    prepare: () => cache.put(`/${referring.narKey}`, referring.nar),
    request: (on) => on.put(`/${referring.key}`, referring.text),
  },
];

describe.each([...READS, ...RARE_READS, ...NO_OBJECTS, ...WRITES, ...RARE_WRITES])(
  "$name ($status): $A class A, $B class B",
  ({ status, A, B, calls = 0, prepare, request }) => {
    test("counted", async () => {
      await prepare?.();
      const watched = watch(env.BUCKET);
      const counted = cacheWith({ BUCKET: watched.bucket });
      const answer = await request(counted);
      expect([answer.status, watched.billed(), counted.catalog.calls.length]).toEqual([
        status,
        { A, B },
        calls,
      ]);
    });
  },
);

test("what a refusal costs has a bound: no more than 200 missing references are looked up", async () => {
  const references = Array.from({ length: 300 }, (_, index) => `${String(index).padStart(32, "0")}-absent`);
  const many = await testPath("many-1.0", "many", { references });
  await cache.put(`/${many.narKey}`, many.nar);
  const watched = watch(env.BUCKET);
  expect((await cacheWith({ BUCKET: watched.bucket }).put(`/${many.key}`, many.text)).status).toBe(409);
  expect(watched.billed()).toEqual({ A: 0, B: 201 });
});
