/** What S3 clients get of an object: the bytes, size and ETag that their listing has, whatever the coding. */
import { reset } from "cloudflare:test";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { type Answer, cacheWith, PULL_TOKEN, PUSH_TOKEN, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { BUCKET, codeOf, s3Client } from "../support/s3.ts";
import { bytesOf, testPath } from "../support/store-paths.ts";
import { elementOf } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith();
const s3 = s3Client(cache);
const PLAIN = "building demo\n".repeat(500);
const CODERS: [string, (plain: Uint8Array) => Uint8Array][] = [
  ["br", brotliCompressSync],
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
  ["xz", (plain) => plain],
];
/** Types that Cloudflare's edge compresses and encodes anew. */
const COMPRESSED = /^text\/(plain|html)|^application\/json/;

async function listedAs(key: string): Promise<{ size: string | undefined; etag: string | undefined }> {
  const { text } = await s3("GET", BUCKET, { query: `list-type=2&prefix=${encodeURIComponent(key)}` });
  return { size: elementOf(text, "Size"), etag: elementOf(text, "ETag")?.replaceAll("&quot;", '"') };
}

const seen = ({ headers }: Answer) => ({
  size: headers.get("Content-Length"),
  etag: headers.get("ETag"),
});

describe.each(CODERS)("stored as %s", (coding, encode) => {
  const encoded = new Uint8Array(encode(bytesOf(PLAIN)));

  test.each(OBJECTS)("a $kind", async ({ kind, key }) => {
    await store(key, encoded, { contentEncoding: coding });
    const inListing = await listedAs(key);
    expect(inListing.size).toBe(String(encoded.length));
    for (const accepted of ["identity", "gzip", coding, "*"]) {
      const headers = { "accept-encoding": accepted };
      const get = await s3("GET", `${BUCKET}/${key}`, { headers });
      const head = await s3("HEAD", `${BUCKET}/${key}`, { headers });
      for (const answer of [get, head]) {
        expect([answer.status, seen(answer)]).toEqual([200, inListing]);
        expect(answer.headers.get("Content-Encoding")).toBe(kind === "nar" ? null : coding);
        expect(answer.headers.get("Content-Type")).not.toMatch(COMPRESSED);
        expect(answer.headers.get("Accept-Ranges")).toBe("bytes");
      }
      expect(get.bytes).toEqual(encoded);
      const part = await s3("GET", `${BUCKET}/${key}`, { headers: { ...headers, range: "bytes=2-5" } });
      expect([part.status, part.bytes]).toEqual([206, encoded.slice(2, 6)]);
      expect(part.headers.get("Content-Range")).toBe(`bytes 2-5/${encoded.length}`);
    }
  });
});

test.each(OBJECTS)(
  "a $kind without a coding: its size, and a type that is not compressed",
  async ({ key }) => {
    await store(key, PLAIN);
    const answer = await s3("GET", `${BUCKET}/${key}`, { headers: { "accept-encoding": "gzip" } });
    expect([answer.text, seen(answer)]).toEqual([PLAIN, await listedAs(key)]);
    expect(answer.headers.get("Content-Type")).not.toMatch(COMPRESSED);
  },
);

test("the answer for S3 clients stays out of the edge's cache, which asks nobody for a signature", async () => {
  for (const { key, contentType } of OBJECTS) {
    await store(key, PLAIN);
    const [signed, plain] = [await s3("GET", `${BUCKET}/${key}`), await cache.get(`/${key}`)];
    expect(plain.headers.get("Content-Type")).toBe(contentType);
    const isSame = signed.headers.get("Content-Type") === contentType;
    expect(isSame || signed.headers.get("Cloudflare-CDN-Cache-Control") === "no-store", key).toBe(true);
  }
});

describe("the ETag of what the cache signs", () => {
  test("is none that a client takes for the MD5 of its file, and the same everywhere", async () => {
    const { secret } = await generateSecretKey("etag-1");
    const signing = cacheWith({ SIGNING_KEY: secret });
    const send = s3Client(signing);
    const path = await testPath();
    expect((await send("PUT", `${BUCKET}/${path.narKey}`, { body: path.nar })).status).toBe(200);
    for (let time = 0; time < 2; time++) {
      const put = await send("PUT", `${BUCKET}/${path.key}`, { body: path.text });
      expect([put.status, put.text]).toEqual([200, ""]);
      const etag = put.headers.get("ETag");
      expect(etag).toMatch(/^"[0-9a-f]{32}-1"$/);
      expect((await send("HEAD", `${BUCKET}/${path.key}`)).headers.get("ETag")).toBe(etag);
      expect((await send("GET", `${BUCKET}/${path.key}`)).headers.get("ETag")).toBe(etag);
      expect((await listedAs(path.key)).etag).toBe(etag);
      const unchanged = { headers: { "if-none-match": etag ?? "" } };
      expect((await send("GET", `${BUCKET}/${path.key}`, unchanged)).status).toBe(304);
    }
    // Clients without a signature get R2's, as before.
    expect((await signing.get(`/${path.key}`)).headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
  });

  test("every PUT has one, and HEAD has the same", async () => {
    for (const { kind, key, body } of OBJECTS.filter(({ kind }) => kind !== "nar" && kind !== "narinfo")) {
      const put = await s3("PUT", `${BUCKET}/${key}`, { body });
      expect([put.status, put.text], kind).toEqual([200, ""]);
      expect(put.headers.get("ETag"), kind).toMatch(/^"[0-9a-f]{32}(-1)?"$/);
      expect((await s3("HEAD", `${BUCKET}/${key}`)).headers.get("ETag"), kind).toBe(put.headers.get("ETag"));
    }
    const info = await s3("PUT", `${BUCKET}/nix-cache-info`, { body: "StoreDir: /nix/store\n" });
    expect(info.headers.get("ETag")).toBe((await s3("HEAD", "nix-cache-info")).headers.get("ETag"));
    expect(info.headers.get("ETag")).toMatch(/-/);
  });
});

describe("response-* parameters", () => {
  const LOG = OBJECTS.find(({ kind }) => kind === "log")?.key ?? "";
  const query =
    "response-content-type=text%2Fhtml&response-content-disposition=attachment%3B%20filename%3Dx&response-cache-control=no-cache";

  test("of a signed request choose headers", async () => {
    await store(LOG, PLAIN);
    const { status, headers, text } = await s3("GET", `${BUCKET}/${LOG}`, { query });
    expect([status, text]).toEqual([200, PLAIN]);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "text/html",
      "content-disposition": "attachment; filename=x",
      "cache-control": "no-cache",
      "content-security-policy": "sandbox",
      "content-length": String(PLAIN.length),
    });
    const gzip = await s3("GET", `${BUCKET}/${LOG}`, { query: "response-content-encoding=gzip" });
    expect([gzip.headers.get("Content-Encoding"), gzip.text]).toEqual(["gzip", PLAIN]);
  });

  test("without a signature are ignored, with a wrong one refused, with a line end as well", async () => {
    await store(LOG, PLAIN);
    const plain = await cache.get(`/${LOG}?${query}`);
    expect([plain.status, plain.headers.get("Content-Type")]).toEqual([200, "text/plain; charset=utf-8"]);
    const forged = s3Client(cache, { secret: "wrong" });
    expect(codeOf(await forged("GET", `${BUCKET}/${LOG}`, { query }))).toBe("403 SignatureDoesNotMatch");
    const split = await s3("GET", `${BUCKET}/${LOG}`, { query: "response-content-type=a%0D%0AX-Evil:%20b" });
    expect(codeOf(split)).toBe("400 InvalidArgument");
  });

  test("of a private cache stay private", async () => {
    await store(LOG, PLAIN);
    const send = s3Client(cacheWith({ PULL_TOKEN, PUSH_TOKEN }));
    const { headers } = await send("GET", `${BUCKET}/${LOG}`, { query });
    expect(headers.get("Cache-Control")).toBe("private, no-store");
  });
});
