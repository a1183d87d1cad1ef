/** Parts of an object (RFC 9110, section 14): what a resumed download asks for. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { cacheWith, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";

const BODY = "0123456789";
const KEY = "nar/digits.nar";
const HUGE = "9".repeat(400);
const cache = cacheWith();
let stored: R2Object;

beforeEach(async () => {
  stored = await store(KEY, BODY);
});
afterEach(reset);

async function rangeOf(range: string, more: Record<string, string> = {}) {
  const response = await cache.get(`/${KEY}`, { Range: range, ...more });
  return {
    status: response.status,
    contentRange: response.headers.get("Content-Range"),
    length: response.headers.get("Content-Length"),
    body: response.text,
  };
}
const part = (contentRange: string, body: string) => ({
  status: 206,
  contentRange: `bytes ${contentRange}/10`,
  length: `${body.length}`,
  body,
});
const WHOLE = { status: 200, contentRange: null, length: "10", body: BODY };

describe("one range", () => {
  test.each([
    ["the first byte", "bytes=0-0", part("0-0", "0")],
    ["the first bytes", "bytes=0-3", part("0-3", "0123")],
    ["the middle", "bytes=3-6", part("3-6", "3456")],
    ["the last byte", "bytes=9-9", part("9-9", "9")],
    ["an open end, as a resumed download asks", "bytes=4-", part("4-9", "456789")],
    ["all, by an open end", "bytes=0-", part("0-9", BODY)],
    ["a suffix", "bytes=-3", part("7-9", "789")],
    ["a suffix as large as the object", "bytes=-10", part("0-9", BODY)],
    ["a suffix larger than the object", "bytes=-11", part("0-9", BODY)],
    ["a suffix larger than any object", `bytes=-${HUGE}`, part("0-9", BODY)],
    ["an end past the end", "bytes=5-10", part("5-9", "56789")],
    ["an end past every end", `bytes=5-${HUGE}`, part("5-9", "56789")],
  ])("%s: %s", async (_, range, expected) => {
    expect(await rangeOf(range)).toEqual(expected);
  });

  test("has the other headers of the whole", async () => {
    const response = await cache.get(`/${KEY}`, { Range: "bytes=2-4" });
    expect(Object.fromEntries(response.headers)).toEqual({
      "accept-ranges": "bytes",
      "cache-control": "public, max-age=31536000, immutable",
      "content-length": "3",
      "content-range": "bytes 2-4/10",
      "content-type": "application/x-nix-nar",
      etag: stored.httpEtag,
      "last-modified": stored.uploaded.toUTCString(),
      "access-control-allow-origin": "*",
      "access-control-expose-headers": "*",
      "x-content-type-options": "nosniff",
    });
  });

  test.each(OBJECTS)("of a $kind", async ({ key }) => {
    await store(key, BODY);
    const response = await cache.get(`/${key}`, { Range: "bytes=2-4" });
    expect([response.status, response.text]).toEqual([206, "234"]);
  });

  test("of an object that is not there is a 404", async () => {
    expectRefusal(await cache.get("/nar/missing.nar", { Range: "bytes=2-4" }), 404);
    expectRefusal(await cache.get("/nar/missing.nar", { Range: "bytes=99999-" }), 404);
  });

  test("means nothing to HEAD (14.2)", async () => {
    for (const Range of ["bytes=2-4", "bytes=10-"]) {
      const response = await cache.head(`/${KEY}`, { Range });
      expect([response.status, response.headers.get("Content-Length")]).toEqual([200, "10"]);
      expect(response.headers.has("Content-Range")).toBe(false);
    }
  });
});

describe("several ranges, other units and what is malformed get the whole", () => {
  test.each([
    "bytes=0-1,3-4",
    "bytes=0-0,-1",
    "bytes=99-,0-1",
    "bytes=5-4",
    "bytes=",
    "bytes=-",
    "bytes=a-b",
    "bytes 0-4",
    "lines=0-4",
    "garbage",
    "",
    `bytes=${"0-0,".repeat(2000)}`,
  ])("%j", async (range) => {
    expect(await rangeOf(range)).toEqual(WHOLE);
  });
});

describe("a range outside the object is 416 and tells the size", () => {
  test.each(["bytes=10-", "bytes=10-10", "bytes=11-20", `bytes=${HUGE}-`, "bytes=-0"])(
    "%s",
    async (range) => {
      const response = await cache.get(`/${KEY}`, { Range: range });
      expect(response.headers.get("Content-Range")).toBe("bytes */10");
      expect(expectRefusal(response, 416)).toMatch(/10 bytes/);
    },
  );

  test.each(["bytes=0-", "bytes=0-0", "bytes=-1"])("%s of an object of no bytes", async (range) => {
    await store(KEY, "");
    const response = await cache.get(`/${KEY}`, { Range: range });
    expect(response.headers.get("Content-Range")).toBe("bytes */0");
    expectRefusal(response, 416);
  });
});

describe("If-Range: the part where the object is the same, else the whole", () => {
  const validator = (name: string): string =>
    ({
      "its tag": stored.httpEtag,
      "its date": stored.uploaded.toUTCString(),
      "another tag": '"00000000000000000000000000000000"',
      "its tag, weak": `W/${stored.httpEtag}`,
      "its tag without quotes": stored.etag,
      "an older date": new Date(stored.uploaded.getTime() - 60_000).toUTCString(),
      "a later date": new Date(stored.uploaded.getTime() + 60_000).toUTCString(),
      "no validator at all": "garbage",
    })[name] ?? "";

  test.each(["its tag", "its date"])("%s: the part", async (name) => {
    expect(await rangeOf("bytes=2-4", { "If-Range": validator(name) })).toEqual(part("2-4", "234"));
  });

  test.each([
    "another tag",
    "its tag, weak",
    "its tag without quotes",
    "an older date",
    "a later date",
    "no validator at all",
    "nothing",
  ])("%s: the whole", async (name) => {
    expect(await rangeOf("bytes=2-4", { "If-Range": validator(name) })).toEqual(WHOLE);
    // The object has become shorter than what the client already has.
    expect(await rangeOf("bytes=50-", { "If-Range": validator(name) })).toEqual(WHOLE);
  });

  test("its tag, and a range outside: 416", async () => {
    expect(await rangeOf("bytes=50-", { "If-Range": stored.httpEtag })).toMatchObject({ status: 416 });
  });

  test("without a Range it means nothing", async () => {
    const response = await cache.get(`/${KEY}`, { "If-Range": '"x"' });
    expect([response.status, response.text]).toEqual([200, BODY]);
  });
});
