/** What is decoded for clients that do not accept a coding: bounded for anonymous ones, who are told what to send. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { MAX_ANONYMOUS_BYTES } from "../../src/cache/decoded.ts";
import { ADMIN_TOKEN, cacheWith, PUSH_TOKEN, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { HASH } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";

afterEach(reset);
captureLog();

const LOG = `log/${HASH}-demo.drv`;
const LISTING = `${HASH}.ls`;
const MIB = 1024 * 1024;
const cache = cacheWith({ ADMIN_TOKEN });

const CODERS: [string, (plain: Uint8Array) => Uint8Array][] = [
  ["br", (plain) => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ["gzip", (plain) => gzipSync(plain, { level: 1 })],
  ["zstd", zstdCompressSync],
];

function lines(bytes: number): Uint8Array {
  return new Uint8Array(bytes).map((_, index) => (index % 64 === 63 ? 10 : 97 + ((index >> 6) % 26)));
}

async function storeLog(plain: Uint8Array, coding: string, encode: (plain: Uint8Array) => Uint8Array) {
  await store(LOG, new Uint8Array(encode(plain)), { contentEncoding: coding });
}

describe.each(CODERS)("a log in %s", (coding, encode) => {
  test("is decoded for anybody up to the bound, not beyond", async () => {
    const full = lines(MAX_ANONYMOUS_BYTES);
    await storeLog(full, coding, encode);
    expect((await cache.get(`/${LOG}`)).bytes).toEqual(full);
    await storeLog(lines(MAX_ANONYMOUS_BYTES + 1), coding, encode);
    const answer = await cache.get(`/${LOG}`);
    expect(expectRefusal(answer, 406).trim()).toBe(
      `this log is stored as ${coding}, and it unpacks to more than 4 MiB, which is decoded only for clients with a token; ask for it with 'Accept-Encoding: ${coding}' (curl: --compressed)`,
    );
    expect(answer.headers.get("Vary")).toBe("Accept-Encoding");
    // As Nix and curl --compressed ask.
    expect((await cache.get(`/${LOG}`, { "Accept-Encoding": `deflate, ${coding}` })).status).toBe(200);
  });

  test("that is a bomb is not unpacked: not for an anonymous client, nor beyond the limit of logs for any", async () => {
    await storeLog(new Uint8Array(48 * MIB), coding, encode);
    const begun = performance.now();
    expectRefusal(await cache.get(`/${LOG}`), 406);
    expect(performance.now() - begun).toBeLessThan(5000);
    await expect(cache.get(`/${LOG}`, { Authorization: `Bearer ${PUSH_TOKEN}` })).rejects.toThrow(/33554432/);
  });

  test.each([PUSH_TOKEN, ADMIN_TOKEN])("is decoded for who may do something here", async (token) => {
    const plain = lines(MAX_ANONYMOUS_BYTES + 100_000);
    await storeLog(plain, coding, encode);
    for (const Authorization of [`Bearer ${token}`, `Basic ${btoa(`any:${token}`)}`]) {
      const { status, bytes } = await cache.get(`/${LOG}`, { Authorization });
      expect([status, bytes.length]).toEqual([200, plain.length]);
      expect(bytes).toEqual(plain);
    }
    expectRefusal(await cache.get(`/${LOG}`, { Authorization: "Bearer wrong" }), 406);
  });

  test("for readers of a private cache", async () => {
    const plain = lines(MAX_ANONYMOUS_BYTES + 1);
    await storeLog(plain, coding, encode);
    const hidden = cacheWith({ PULL_TOKEN: "pull-token" });
    const { bytes } = await hidden.get(`/${LOG}`, { Authorization: "Bearer pull-token" });
    expect(bytes.length).toBe(plain.length);
  });

  test.each<[string, (whole: Uint8Array) => Uint8Array]>([
    ["cut", (whole) => whole.subarray(0, -3)],
    ["empty", () => new Uint8Array()],
    ["something else", () => lines(100)],
    ["followed by something", (whole) => Uint8Array.of(...whole, 1, 2, 3)],
  ])("that is %s cannot be decoded, which is said", async (_, damage) => {
    await store(LOG, new Uint8Array(damage(encode(lines(1000)))), { contentEncoding: coding });
    expect(expectRefusal(await cache.get(`/${LOG}`), 406)).toMatch(
      /^this log is stored as \w+, and it cannot be decoded; ask/,
    );
  });
});

test("a listing is bound in the same way", async () => {
  await store(LISTING, new Uint8Array(gzipSync(lines(5 * MIB))), { contentEncoding: "gzip" });
  expect(expectRefusal(await cache.get(`/${LISTING}`), 406)).toMatch(/^this listing /);
});
