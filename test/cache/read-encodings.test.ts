/** Objects that were uploaded with a Content-Encoding: as stored for who accepts it, decoded for who does not. */
import { reset } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { cacheWith, ORIGIN, read, store } from "../support/cache.ts";
import { AS_SENT, HASH, OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { bytesOf } from "../support/store-paths.ts";

afterEach(reset);

const cache = cacheWith();
const LOG = `log/${HASH}-demo.drv`;
const PLAIN = "building demo\n".repeat(500);

const CODERS: [string, (plain: Uint8Array) => Uint8Array][] = [
  ["br", brotliCompressSync],
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
];

describe.each(CODERS)("stored as %s", (coding, encode) => {
  const encoded = new Uint8Array(encode(bytesOf(PLAIN)));
  const put = () => store(LOG, encoded, { contentEncoding: coding });

  test.each([coding, `deflate, ${coding};q=0.5`, "*"])(
    "for Accept-Encoding: %s, as stored",
    async (accepted) => {
      const { httpEtag } = await put();
      const headers = { "Accept-Encoding": accepted };
      const [get, head] = [await cache.get(`/${LOG}`, headers), await cache.head(`/${LOG}`, headers)];
      for (const answer of [get, head]) {
        expect(answer.status).toBe(200);
        expect(Object.fromEntries(answer.headers)).toMatchObject({
          "content-encoding": coding,
          "content-length": `${encoded.length}`,
          "content-type": "text/plain; charset=utf-8",
          "accept-ranges": "bytes",
          etag: httpEtag,
          vary: "Accept-Encoding",
        });
      }
      expect(get.bytes).toEqual(encoded);
      expect(head.bytes).toHaveLength(0);
    },
  );

  test.each([
    ["no Accept-Encoding", {}],
    ["identity", { "Accept-Encoding": "identity" }],
    ["another coding", { "Accept-Encoding": "deflate" }],
    ["refused", { "Accept-Encoding": `*, ${coding};q=0` }],
    ["garbage", { "Accept-Encoding": ";;=,q" }],
  ])("for %s, decoded", async (_, headers) => {
    const { httpEtag } = await put();
    const [get, head] = [await cache.get(`/${LOG}`, headers), await cache.head(`/${LOG}`, headers)];
    for (const answer of [get, head]) {
      expect(answer.status).toBe(200);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        "content-type": "text/plain; charset=utf-8",
        // Another representation than the stored one, of a length that is not known yet.
        etag: `W/${httpEtag}`,
        "accept-ranges": "none",
        vary: "Accept-Encoding",
      });
      expect(answer.headers.has("Content-Encoding")).toBe(false);
      expect(answer.headers.has("Content-Length")).toBe(false);
    }
    expect(get.text).toBe(PLAIN);
    expect(head.text).toBe("");
  });

  test("over a connection it is encoded once, whatever the client accepts", async () => {
    await put();
    const raw = async (accepted: string) =>
      read(
        await exports.default.fetch(`${ORIGIN}/${LOG}`, {
          headers: { "Accept-Encoding": accepted },
          encodeResponseBody: "manual",
        }),
      );
    expect((await raw(coding)).bytes).toEqual(encoded);
    expect((await raw("identity")).text).toBe(PLAIN);
  });

  test("a part is of the stored bytes; what is decoded has no parts", async () => {
    await put();
    for (const Range of ["bytes=2-5", "bytes=2-", "bytes=-4"]) {
      const part = await cache.get(`/${LOG}`, { "Accept-Encoding": coding, Range });
      expect([part.status, part.headers.get("Content-Encoding")]).toEqual([206, coding]);
      const [start, end] = Range === "bytes=2-5" ? [2, 6] : Range === "bytes=2-" ? [2] : [-4];
      expect(part.bytes).toEqual(encoded.slice(start, end));
    }
    for (const Range of ["bytes=2-5", "bytes=999999-", "bytes=-4"]) {
      const whole = await cache.get(`/${LOG}`, { Range });
      expect([whole.status, whole.headers.has("Content-Range"), whole.text]).toEqual([200, false, PLAIN]);
    }
    expectRefusal(await cache.get(`/${LOG}`, { "Accept-Encoding": coding, Range: "bytes=999999-" }), 416);
  });

  test("conditions hold for both representations", async () => {
    const { httpEtag } = await put();
    for (const accepted of [coding, "identity"]) {
      const headers = { "Accept-Encoding": accepted, "If-None-Match": httpEtag };
      const answer = await cache.get(`/${LOG}`, headers);
      expect([answer.status, answer.headers.get("Vary"), answer.text]).toEqual([304, "Accept-Encoding", ""]);
    }
  });

  test.each(AS_SENT)("a $kind that is uploaded so is stored so", async ({ key, body }) => {
    const upload = new Uint8Array(encode(bytesOf(body)));
    expect((await cache.put(`/${key}`, upload, { "Content-Encoding": coding })).status).toBe(201);
    expect(new Uint8Array((await (await env.BUCKET.get(key))?.arrayBuffer()) ?? [])).toEqual(upload);
    expect((await cache.get(`/${key}`)).text).toBe(body);
    const asStored = await cache.get(`/${key}`, { "Accept-Encoding": coding });
    expect([asStored.headers.get("Content-Encoding"), asStored.bytes]).toEqual([coding, upload]);
  });

  test("a narinfo of another tool, too", async () => {
    await store(`${HASH}.narinfo`, encoded, { contentEncoding: coding });
    expect((await cache.get(`/${HASH}.narinfo`)).text).toBe(PLAIN);
  });

  test("never on a NAR: it arrives as it was hashed", async () => {
    await store("nar/x.nar", encoded, { contentEncoding: coding });
    for (const accepted of [coding, "identity", "*"]) {
      const headers = { "Accept-Encoding": accepted };
      for (const answer of [
        await cache.get("/nar/x.nar", headers),
        await cache.head("/nar/x.nar", headers),
      ]) {
        expect(answer.headers.has("Content-Encoding")).toBe(false);
        expect(answer.headers.has("Vary")).toBe(false);
        expect(answer.headers.get("Accept-Ranges")).toBe("bytes");
        expect(answer.headers.get("Content-Length")).toBe(`${encoded.length}`);
      }
      expect((await cache.get("/nar/x.nar", headers)).bytes).toEqual(encoded);
    }
  });
});

describe("behind Cloudflare's edge, which always says that it accepts br and gzip", () => {
  const edge = (clientAcceptEncoding: string): RequestInit => ({
    headers: { "Accept-Encoding": "br, gzip" },
    cf: { clientAcceptEncoding },
  });

  test("the client's own Accept-Encoding counts", async () => {
    const encoded = new Uint8Array(gzipSync(PLAIN));
    await store(LOG, encoded, { contentEncoding: "gzip" });
    expect((await cache.fetch(`/${LOG}`, edge(""))).text).toBe(PLAIN);
    expect((await cache.fetch(`/${LOG}`, edge("zstd"))).text).toBe(PLAIN);
    expect((await cache.fetch(`/${LOG}`, edge("gzip"))).bytes).toEqual(encoded);
  });
});

test.each(["identity", ""])(
  "%j on a stored object is no encoding: Nix up to 2.30 breaks on it",
  async (coding) => {
    await store(LOG, PLAIN, { contentEncoding: coding });
    const answer = await cache.get(`/${LOG}`);
    expect([answer.status, answer.headers.has("Content-Encoding"), answer.text]).toEqual([200, false, PLAIN]);
    expect([answer.headers.has("Vary"), answer.headers.get("Accept-Ranges")]).toEqual([false, "bytes"]);
  },
);

test("a coding that only others know is left to the client", async () => {
  await store(LOG, "whatever xz is", { contentEncoding: "xz" });
  const answer = await cache.get(`/${LOG}`);
  expect([answer.headers.get("Content-Encoding"), answer.text]).toEqual(["xz", "whatever xz is"]);
});

test.each(OBJECTS)("a $kind that has none varies by nothing", async ({ key }) => {
  await store(key, PLAIN);
  const answer = await cache.get(`/${key}`, { "Accept-Encoding": "br, gzip, zstd" });
  expect([answer.headers.has("Vary"), answer.headers.has("Content-Encoding"), answer.text]).toEqual([
    false,
    false,
    PLAIN,
  ]);
});

test("decoding costs no operation more", async () => {
  await store(LOG, new Uint8Array(gzipSync(PLAIN)), { contentEncoding: "gzip" });
  const watched = watch(env.BUCKET);
  await cacheWith({ BUCKET: watched.bucket }).get(`/${LOG}`);
  expect(watched.billed()).toEqual({ A: 0, B: 1 });
});
