/** Odd JSON and odd compression on every object of a push: not stored, by a limit that the message names, and not parsed. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { isJson } from "../../src/bucket/companions.ts";
import { KINDS } from "../../src/bucket/kinds.ts";
import { cacheWith, keys } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { METADATA, OBJECTS } from "../support/objects.ts";
import { expectBeyond, expectRefusal } from "../support/refusal.ts";
import { SLOW_MS } from "../support/slow.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const MIB = 1024 * 1024;

const LIMITS = new Map(KINDS.map((kind) => [kind.name, kind]));
const JSON_KINDS = METADATA.filter(({ kind }) => isJson(LIMITS.get(kind) ?? never(kind))).map((object) => ({
  ...object,
  maxBytes: LIMITS.get(object.kind)?.maxBytes ?? 0,
  depth: LIMITS.get(object.kind)?.json?.depth ?? 0,
  values: LIMITS.get(object.kind)?.json?.values ?? 0,
}));

/** Calls with a text of these tests; the test's runner parses others. */
function parsed(parse: ReturnType<typeof vi.spyOn>): unknown[] {
  return parse.mock.calls.filter(([text]: unknown[]) => /^(?:\[\[|\{"a"|\{"version")/.test(String(text)));
}

function never(kind: string): never {
  throw new Error(`no kind ${kind}`);
}

function wide(item: string, values: number): string {
  return `{"a":[${item.repeat(values).slice(0, -1)}]}`;
}

const CODERS: [string, (plain: Uint8Array | string) => Uint8Array<ArrayBuffer>][] = [
  ["br", (plain) => new Uint8Array(brotliCompressSync(plain))],
  ["gzip", (plain) => new Uint8Array(gzipSync(plain))],
  ["zstd", (plain) => new Uint8Array(zstdCompressSync(Buffer.from(plain)))],
];

describe.each(JSON_KINDS)("a $kind", ({ kind, key, maxBytes, depth, values }) => {
  let parse: ReturnType<typeof vi.spyOn>;
  beforeEach(() => {
    parse = vi.spyOn(JSON, "parse");
  });
  afterEach(() => {
    parse.mockRestore();
  });

  /** Bodies that only their nesting or number of values makes wrong, and the limit. */
  const HOSTILE: [string, string, number, RegExp][] = [
    [
      "brackets",
      "[".repeat(Math.min(maxBytes - 100, 16 * MIB)),
      400,
      new RegExp(`nested deeper than ${depth} levels, the limit`),
    ],
    [
      "braces",
      '{"a":'.repeat(Math.min(maxBytes, 16 * MIB) / 5 - 20),
      400,
      new RegExp(`deeper than ${depth} levels, the limit`),
    ],
    ["well-formed nesting", `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`, 400, /levels, the limit/],
    [
      "brackets behind a text of brackets",
      `{"a":"${"[".repeat(100)}","b":${"[".repeat(1000)}`,
      400,
      /levels/,
    ],
    ["empty arrays", wide("[],", values), 413, new RegExp(`more than ${values} JSON values, the limit`)],
    ["empty objects", wide("{},", values), 413, new RegExp(`more than ${values} JSON values, the limit`)],
    ["numbers", wide("1,", values), 413, new RegExp(`more than ${values} JSON values, the limit`)],
  ];

  /** What is no object is refused in any case. */
  const judged = (body: string, ...[answer, status]: [Parameters<typeof expectRefusal>[0], number]) =>
    body.startsWith("{") ? expectBeyond(kind, answer, status) : expectRefusal(answer, status);

  test.each(HOSTILE)(
    "of %s is not parsed and not stored",
    async (_, body, status, limit) => {
      const answer = await cache.put(`/${key}`, body);
      expect(judged(body, answer, status)).toMatch(limit);
      expect([parsed(parse), await keys()]).toEqual([[], []]);
    },
    SLOW_MS,
  );

  test.each(CODERS)(
    "in %s is treated in the same way",
    async (coding, encode) => {
      for (const [, body, status, limit] of HOSTILE.slice(0, 5)) {
        const answer = await cache.put(`/${key}`, encode(body), { "Content-Encoding": coding });
        expect(judged(body, answer, status)).toMatch(limit);
      }
      expect([parsed(parse), await keys()]).toEqual([[], []]);
    },
    SLOW_MS,
  );
});

test("a listing is not parsed at all: one of 16 MiB would take ten times that", async () => {
  const file = (index: number) => `"f${index}":{"type":"regular","size":${index},"narOffset":${96 * index}}`;
  const files = Array.from({ length: 50_000 }, (_, index) => file(index)).join();
  const parse = vi.spyOn(JSON, "parse");
  const listing = `{"version":1,"root":{"type":"directory","entries":{${files}}}}`;
  const [{ key } = { key: "" }] = METADATA.filter(({ kind }) => kind === "listing");
  expect((await cache.put(`/${key}`, listing)).status).toBe(201);
  expect(parsed(parse)).toEqual([]);
  parse.mockRestore();
});

test("a listing of the deepest directories that a NAR may have here is taken", async () => {
  const directories = 250;
  const open = '{"type":"directory","entries":{"d":'.repeat(directories);
  const listing = `{"version":1,"root":${open}{"type":"regular"}${"}}".repeat(directories)}}`;
  const [{ key } = { key: "" }] = METADATA.filter(({ kind }) => kind === "listing");
  expect((await cache.put(`/${key}`, listing)).status).toBe(201);
});

describe.each(OBJECTS.filter(({ kind }) => kind !== "nar"))("a compressed $kind", ({ kind, key, body }) => {
  const maxBytes = LIMITS.get(kind)?.maxBytes ?? 0;

  test.each(CODERS)(
    "in %s that unpacks beyond its limit is not stored, and not held whole",
    async (coding, encode) => {
      const bomb = encode(new Uint8Array(maxBytes + MIB).fill(0x20));
      expect(bomb.length).toBeLessThan(maxBytes);
      const answer = await cache.put(`/${key}`, bomb, { "Content-Encoding": coding });
      expect(expectBeyond(kind, answer, 413)).toContain(`the decoded body is larger than ${maxBytes} bytes`);
      expect(await keys()).toEqual([]);
    },
    SLOW_MS,
  );

  test.each<[string, string | Uint8Array<ArrayBuffer>, string, number]>([
    ["gzip twice", twice(body), "gzip, gzip", 415],
    ["gzip in a list of codings", gzip(body), "identity, gzip", 415],
    ["deflate", gzip(body), "deflate", 415],
    ["bzip2", gzip(body), "bzip2", 415],
    ["a wrong coding", gzip(body), "br", 400],
    ["no coding", body, "zstd", 400],
    ["gzip of nothing", "", "gzip", 400],
    ["zstd of nothing", "", "zstd", 400],
    ["br of nothing", "", "br", 400],
    ["gzip and more behind it", joined(gzip(body), "[[["), "gzip", 400],
    ["br and more behind it", joined(new Uint8Array(brotliCompressSync(body)), "[[["), "br", 400],
    // Clients go on with the second frame, which the decoder here ignores.
    ["two frames of zstd", joined(zstd("{}"), zstd("[".repeat(1000))), "zstd", 400],
    // 128 MB of memory for three bytes.
    [
      "zstd with a huge window",
      Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, 17 << 3, 25, 0, 0, 0x7b, 0x20, 0x7d),
      "zstd",
      400,
    ],
  ])("as %s is refused", async (_, sent, coding, status) => {
    expectRefusal(await cache.put(`/${key}`, sent, { "Content-Encoding": coding }), status);
    expect(await keys()).toEqual([]);
  });
});

function gzip(text: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(text));
}

function zstd(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(zstdCompressSync(Buffer.from(text)));
}

function twice(text: string): Uint8Array<ArrayBuffer> {
  return gzip(gzip(text));
}

function joined(...parts: (string | Uint8Array<ArrayBuffer>)[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts.map((part) => Buffer.from(part as Uint8Array))));
}
