/** The body of a narinfo's upload: its encoding, its size, and that nothing in it makes the Worker fail. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { formatNarInfo } from "../../../src/nix/narinfo.ts";
import { watch } from "../../support/bucket.ts";
import { type Body, cacheWith, keys, OPEN, PUSH_TOKEN } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { HASH } from "../../support/objects.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { SLOW_MS } from "../../support/slow.ts";
import { bytesOf, testPath } from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const MIB = 1024 * 1024;
const path = await testPath();

/** A valid narinfo of that many bytes. */
function sized(bytes: number): string {
  const field = "X-Padding: ";
  return `${path.text}${field}${"x".repeat(bytes - path.text.length - field.length - 1)}\n`;
}

describe.each<[string, (plain: string) => Uint8Array]>([
  ["br", brotliCompressSync],
  ["gzip", (text) => gzipSync(text)],
  ["zstd", (text) => zstdCompressSync(text)],
])("sent as %s (narinfo-compression)", (coding, encode) => {
  const put = (body: Uint8Array) =>
    cache.put(`/${path.key}`, new Uint8Array(body), { "Content-Encoding": coding });

  test("is stored plain: every client reads that", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    expect((await put(encode(path.text))).status).toBe(201);
    expect(await (await env.BUCKET.get(path.key))?.text()).toBe(path.text);
    expect((await env.BUCKET.head(path.key))?.httpMetadata).toEqual({ contentType: "text/x-nix-narinfo" });
    const answer = await cache.get(`/${path.key}`, { "Accept-Encoding": coding });
    expect([answer.headers.has("Content-Encoding"), answer.text]).toEqual([false, path.text]);
  });

  test("may have 1 MiB when it is decoded", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    expect((await put(encode(sized(MIB)))).status).toBe(201);
    expectRefusal(await put(encode(sized(MIB + 1))), 413);
  });

  test("a decompression bomb is refused", async () => {
    expect(expectRefusal(await put(encode("\n".repeat(20 * MIB))), 413)).toMatch(/larger than 1048576 bytes/);
    expect(await keys()).toEqual([]);
  });

  test.each<[string, Uint8Array]>([
    ["plain text", bytesOf(path.text)],
    ["a part of it", encode(path.text).slice(0, -4)],
    ["not UTF-8", encode("\u0000").map((byte) => byte ^ 0x55)],
  ])("%s is refused", async (_, body) => {
    expectRefusal(await put(body), 400);
    expect(await keys()).toEqual([]);
  });
});

test.each(["xz", "bzip2", "lzma", "br, gzip"])(
  "%s is refused, and the message says what to change",
  async (coding) => {
    const answer = await cache.put(`/${path.key}`, "x", { "Content-Encoding": coding });
    expect(expectRefusal(answer, 415)).toMatch(
      /set narinfo-compression to br, gzip, zstd or none in the store URL/,
    );
    expect(answer.headers.get("Accept-Encoding")).toBe("br, gzip, zstd");
  },
);

describe("sent plain", () => {
  test("may have 1 MiB", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    expect((await cache.put(`/${path.key}`, sized(MIB))).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).bytes).toHaveLength(MIB);
  });

  test("may come without a length", async () => {
    await cache.put(`/${path.narKey}`, path.nar);
    const answer = await cache.fetch(`/${path.key}`, {
      method: "PUT",
      body: new Blob([path.text]).stream(),
      headers: { Authorization: `Bearer ${PUSH_TOKEN}` },
    });
    expect(answer.status).toBe(201);
  });

  test.each<[string, Body, Record<string, string>, number]>([
    ["larger than 1 MiB", sized(MIB + 1), {}, 413],
    ["announced as larger", path.text, { "Content-Length": "1048577" }, 413],
    ["shorter than announced", path.text.slice(0, -30), { "Content-Length": `${path.text.length}` }, 400],
    ["absent, though announced", "", { "Content-Length": `${path.text.length}` }, 400],
    ["not UTF-8", new Uint8Array([...bytesOf(path.text), 0xff, 0x0a]), {}, 400],
    ["UTF-16", new Uint8Array(new Uint16Array([...path.text].map((c) => c.charCodeAt(0))).buffer), {}, 400],
    ["with a byte order mark", `\ufeff${path.text}`, {}, 400],
  ])("%s is refused before the bucket or the catalog is asked", async (_, body, headers, status) => {
    const watched = watch(env.BUCKET);
    const watchedCache = cacheWith({ BUCKET: watched.bucket });
    expectRefusal(await watchedCache.put(`/${path.key}`, body, headers), status);
    expect([watched.operations, watchedCache.catalog.calls]).toEqual([[], []]);
  });
});

describe("whatever is sent, the answer is a success or a refusal", () => {
  const fields = [
    "StorePath",
    "URL",
    "Compression",
    "FileHash",
    "FileSize",
    "NarHash",
    "NarSize",
    "References",
    "Deriver",
    "Sig",
    "CA",
    "X",
  ];
  const value = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "",
      " ",
      "0",
      "-1",
      "1e9",
      "9".repeat(400),
      "__proto__",
      "sha256:",
      `sha256:${"z".repeat(52)}`,
      `/nix/store/${HASH}-x`,
      `${HASH}-x ${HASH}-y`,
      "nar/%2e%2e/x",
      "nar/%ff",
      "fixed:r:sha256:x",
      "a:b",
      "xz",
    ),
  );
  const line = fc.tuple(fc.constantFrom(...fields), value).map(([key, text]) => `${key}: ${text}\n`);
  const mutated = fc.array(line, { maxLength: 4 }).map((lines) => {
    const kept = path.text
      .split(/(?<=\n)/)
      .filter((known) => !lines.some((changed) => changed.split(":")[0] === known.split(":")[0]));
    return [...kept, ...lines].join("");
  });

  test(
    "text",
    async () => {
      await cache.put(`/${path.narKey}`, path.nar);
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            mutated,
            fc.array(line).map((all) => all.join("")),
          ),
          async (text) => {
            const answer = await cache.put(`/${path.key}`, text);
            expect([200, 201, 400, 409]).toContain(answer.status);
          },
        ),
        { numRuns: 500 },
      );
      // Whatever of it was taken is a narinfo that Nix can read.
      const stored = await env.BUCKET.get(path.key);
      if (stored !== null) expect(await stored.text()).toMatch(/^StorePath: .*\nURL: .*\n/);
    },
    SLOW_MS,
  );

  test(
    "bytes, and any Content-Encoding",
    async () => {
      const coding = fc.constantFrom("", "identity", "br", "gzip", "zstd", "xz", "x-gzip", ",", "br;q=1");
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), coding, async (bytes, contentEncoding) => {
          const answer = await cache.put(`/${path.key}`, new Uint8Array(bytes), {
            "Content-Encoding": contentEncoding,
          });
          expect([400, 413, 415]).toContain(answer.status);
        }),
        { numRuns: 300 },
      );
      expect(await keys()).toEqual([]);
    },
    SLOW_MS,
  );
});

test("a narinfo as large as Nix's largest, with thousands of references, is read and written", async () => {
  const references = Array.from(
    { length: 5000 },
    (_, index) => `${String(index).padStart(32, "0")}-reference-${index}`,
  );
  const large = await testPath("large", "large", { references });
  await cache.put(`/${large.narKey}`, large.nar);
  expect(expectRefusal(await cache.put(`/${large.key}`, large.text), 409)).toContain(" and 4995 more;");
  expect((await cacheWith(OPEN).put(`/${large.key}`, large.text)).status).toBe(201);
  expect((await cache.get(`/${large.key}`)).text).toBe(formatNarInfo(large.info));
});
