/** Conditional reading (RFC 9110, section 13), over every kind of object. The rules in detail: test/http. */
import { reset } from "cloudflare:test";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cacheWith, type HeaderList, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { SLOW_MS } from "../support/slow.ts";

const BODY = "0123456789";
const KEY = "nar/digits.nar";
const cache = cacheWith();
let stored: R2Object;

beforeEach(async () => {
  stored = await store(KEY, BODY);
});
afterEach(reset);

const at = (seconds: number) => new Date(stored.uploaded.getTime() + seconds * 1000).toUTCString();

describe("GET and HEAD answer by the conditions", () => {
  test.each<[string, () => HeaderList, 200 | 206 | 304 | 412]>([
    ["its tag is known", () => ({ "If-None-Match": stored.httpEtag }), 304],
    ["its tag is known as a weak one", () => ({ "If-None-Match": `W/${stored.httpEtag}` }), 304],
    ["its tag is one of several", () => ({ "If-None-Match": `"a", W/"b", ${stored.httpEtag}` }), 304],
    ["anything is known", () => ({ "If-None-Match": "*" }), 304],
    ["another tag is known", () => ({ "If-None-Match": '"a"' }), 200],
    ["a tag without quotes", () => ({ "If-None-Match": stored.etag }), 200],
    ["not modified since", () => ({ "If-Modified-Since": at(0) }), 304],
    ["not modified since later", () => ({ "If-Modified-Since": at(60) }), 304],
    ["modified since", () => ({ "If-Modified-Since": at(-60) }), 200],
    ["modified since no date", () => ({ "If-Modified-Since": "garbage" }), 200],
    ["its tag is wanted", () => ({ "If-Match": stored.httpEtag }), 200],
    ["any tag is wanted", () => ({ "If-Match": "*" }), 200],
    ["another tag is wanted", () => ({ "If-Match": '"a"' }), 412],
    ["its tag is wanted as a weak one", () => ({ "If-Match": `W/${stored.httpEtag}` }), 412],
    ["unmodified since", () => ({ "If-Unmodified-Since": at(0) }), 200],
    ["not unmodified since", () => ({ "If-Unmodified-Since": at(-60) }), 412],
    [
      "If-None-Match comes before If-Modified-Since",
      () => ({ "If-None-Match": '"a"', "If-Modified-Since": at(60) }),
      200,
    ],
    [
      "If-Match comes before all",
      () => ({ "If-Match": '"a"', "If-None-Match": stored.httpEtag, "If-Unmodified-Since": at(60) }),
      412,
    ],
    [
      "a condition comes before the range",
      () => ({ "If-None-Match": stored.httpEtag, Range: "bytes=0-1" }),
      304,
    ],
    [
      "a condition comes before a range that lies outside",
      () => ({ "If-None-Match": stored.httpEtag, Range: "bytes=99-" }),
      304,
    ],
    ["If-Match of a part", () => ({ "If-Match": '"a"', Range: "bytes=0-1" }), 412],
  ])("%s", async (_, headersOf, status) => {
    const headers = headersOf();
    const [get, head] = [await cache.get(`/${KEY}`, headers), await cache.head(`/${KEY}`, headers)];
    expect([get.status, head.status, head.text]).toEqual([status, status, ""]);
    if (status === 412) {
      expectRefusal(get, 412);
      return;
    }
    expect(get.headers.get("ETag")).toBe(stored.httpEtag);
    expect(get.text).toBe(status === 304 ? "" : BODY);
  });

  test("a condition that holds lets a range through", async () => {
    const headers = { "If-Match": stored.httpEtag, Range: "bytes=0-1" };
    expect(await cache.get(`/${KEY}`, headers)).toMatchObject({ status: 206, text: "01" });
  });

  test("of what is not there", async () => {
    for (const headers of [{ "If-None-Match": "*" }, { "If-Match": "*" }, { "If-Modified-Since": at(0) }]) {
      expectRefusal(await cache.get("/nar/missing.nar", headers), 404);
    }
  });
});

test.each(OBJECTS)("304 of a $kind has the headers that keep a copy fresh", async ({ key, cacheControl }) => {
  const { httpEtag, uploaded } = await store(key, BODY);
  const { status, headers } = await cache.get(`/${key}`, { "If-None-Match": httpEtag });
  expect(status).toBe(304);
  expect(headers.get("ETag")).toBe(httpEtag);
  expect(headers.get("Cache-Control")).toBe(cacheControl);
  expect(headers.get("Last-Modified")).toBe(uploaded.toUTCString());
  expect(headers.has("Content-Length")).toBe(false);
});

test(
  "no header makes a read fail",
  async () => {
    const value = fc.oneof(
      fc.string({ unit: fc.constantFrom('"', "W", "/", "*", ",", " ", "-", "=", ";", "q", "0", "9") }),
      fc.string({ unit: "grapheme-ascii" }),
      fc.constantFrom("bytes=0-", "bytes=5-", "bytes=-3", "bytes=10-", `"${"x".repeat(4000)}"`),
      fc.stringMatching(/^bytes=[0-9]{0,30}-[0-9]{0,30}$/),
    );
    const name = fc.constantFrom(
      "If-Match",
      "If-None-Match",
      "If-Modified-Since",
      "If-Unmodified-Since",
      "If-Range",
      "Range",
      "Accept-Encoding",
    );
    await fc.assert(
      fc.asyncProperty(fc.dictionary(name, value, { noNullPrototype: true }), async (headers) => {
        for (const answer of [await cache.get(`/${KEY}`, headers), await cache.head(`/${KEY}`, headers)]) {
          expect([200, 206, 304, 412, 416]).toContain(answer.status);
        }
      }),
      { numRuns: 300 },
    );
  },
  SLOW_MS,
);
