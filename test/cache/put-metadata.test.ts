/** Uploading what accompanies store paths and is stored as it was sent: listings, logs, debug info. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { isJson } from "../../src/bucket/companions.ts";
import { KINDS } from "../../src/bucket/kinds.ts";
import { r2Error, watch } from "../support/bucket.ts";
import { cacheWith, contents, keys, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { AS_SENT } from "../support/objects.ts";
import { expectBeyond, expectRefusal, LEFT_OUT } from "../support/refusal.ts";
import { SLOW_MS } from "../support/slow.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
/** Bytes, by kind. */
const MAX_BYTES = new Map(KINDS.map(({ name, maxBytes }) => [name, maxBytes]));
const JSON_KINDS = AS_SENT.filter(({ kind }) => KINDS.some((each) => each.name === kind && isJson(each)));

/** A JSON object (which is a log, too) of that many bytes. */
function sized(bytes: number): Uint8Array<ArrayBuffer> {
  const text = new Uint8Array(bytes).fill(0x20);
  text[0] = 0x7b;
  text[bytes - 1] = 0x7d;
  return text;
}

describe.each(AS_SENT)("a $kind", ({ kind, key, body, contentType }) => {
  const limit = MAX_BYTES.get(kind) ?? 0;

  test("is stored as it was sent", async () => {
    expect(await cache.put(`/${key}`, body)).toMatchObject({ status: 201, text: `stored ${key}\n` });
    expect(await contents()).toEqual({ [key]: body });
    expect((await env.BUCKET.head(key))?.httpMetadata).toEqual({ contentType });
    expect((await cache.get(`/${key}`)).text).toBe(body);
  });

  test("is replaced by a newer one", async () => {
    await cache.put(`/${key}`, '{"older":1}');
    expect((await cache.put(`/${key}`, body)).status).toBe(201);
    expect(await contents()).toEqual({ [key]: body });
  });

  test("needs no length", async () => {
    const answer = await cache.fetch(`/${key}`, {
      method: "PUT",
      body: new Blob([body]).stream(),
      headers: { Authorization: "Bearer push-token-for-tests" },
    });
    expect([answer.status, await contents()]).toEqual([201, { [key]: body }]);
  });

  test(
    "may be as large as its limit, not larger",
    async () => {
      expect((await cache.put(`/${key}`, sized(limit))).status).toBe(201);
      expectBeyond(kind, await cache.put(`/${key}`, sized(limit + 1)), 413);
      expect((await env.BUCKET.head(key))?.size).toBe(limit);
    },
    SLOW_MS,
  );

  test(
    "may be as large as its limit when it is decoded, not larger",
    async () => {
      const full = new Uint8Array(gzipSync(sized(limit), { level: 1 }));
      expect((await cache.put(`/${key}`, full, { "Content-Encoding": "gzip" })).status).toBe(201);
      await env.BUCKET.delete(key);
      const bomb = new Uint8Array(gzipSync(sized(limit + 1), { level: 1 }));
      expect(bomb.length).toBeLessThan(limit);
      const answer = await cache.put(`/${key}`, bomb, { "Content-Encoding": "gzip" });
      expect(expectBeyond(kind, answer, 413)).toMatch(/decoded/);
      expect(await keys()).toEqual([]);
    },
    SLOW_MS,
  );

  test.each([
    ["shorter than announced", body.slice(0, -3), { "Content-Length": "1000" }, 400],
    ["absent, though announced", "", { "Content-Length": "1000" }, 400],
    ["not what its Content-Encoding says", body, { "Content-Encoding": "gzip" }, 400],
    ["of a coding that clients cannot undo", body, { "Content-Encoding": "xz" }, 415],
    ["of several codings", body, { "Content-Encoding": "gzip, br" }, 415],
  ])("that is %s is refused and leaves nothing", async (_, sent, headers, status) => {
    expectRefusal(await cache.put(`/${key}`, sent, headers), status);
    expect(await keys()).toEqual([]);
  });

  test("sent by two at once: the one that R2 refuses succeeds if the other has stored the same", async () => {
    const race = (text: string) =>
      watch(env.BUCKET, {
        before: async ({ name }) => {
          if (name !== "put") return;
          await store(key, text);
          throw r2Error("put", "Reduce your concurrent request rate for the same object.", 10058);
        },
      });
    expect((await cacheWith({ BUCKET: race(body).bucket }).put(`/${key}`, body)).status).toBe(201);
    expect(await contents()).toEqual({ [key]: body });
    const lost = await cacheWith({ BUCKET: race('{"another":1}').bucket }).put(`/${key}`, body);
    expectRefusal(lost, 503);
    expect(lost.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await contents()).toEqual({ [key]: '{"another":1}' });
  });

  test("sent by two at once is one of the two, whole", async () => {
    const bodies = ["1", "22", "333"].map((digits) => `{"build":${digits}}`);
    const answers = await Promise.all(bodies.map((text) => cache.put(`/${key}`, text)));
    for (const { status } of answers) expect(status).toBe(201);
    expect(bodies).toContain((await cache.get(`/${key}`)).text);
  });
});

test("what comes with a path is left out: listings and debug info", () => {
  expect([...LEFT_OUT]).toEqual(["listing", "debuginfo"]);
});

const latin1 = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

describe.each(JSON_KINDS)(
  "a $kind that is not UTF-8, as Nix up to 2.25 writes odd file names,",
  ({ kind, key }) => {
    const odd = latin1('{"version":1,"root":{"entries":{"na\\u0000":1,"\xff\xe4":2}}}');

    test.each<[string, Uint8Array<ArrayBuffer>, string]>([
      ["plain", odd, ""],
      ["in gzip", new Uint8Array(gzipSync(odd)), "gzip"],
      ["of many bytes", new Uint8Array(Buffer.concat([odd, Buffer.alloc(60_000, " ")])), ""],
    ])("is left out, and the answer says so: %s", async (_, body, coding) => {
      const answer = await cache.put(`/${key}`, body, coding === "" ? {} : { "Content-Encoding": coding });
      expect(expectBeyond(kind, answer, 400)).toMatch(/not UTF-8/);
      expect(await keys()).toEqual([]);
    });

    test("leaves the one that is there", async () => {
      await store(key, "{}");
      expect((await cache.put(`/${key}`, odd)).status).toBe(200);
      expect(await contents()).toEqual({ [key]: "{}" });
    });
  },
);

describe("a large listing", () => {
  const key = "4crvrnhdg1r8sqc1hblbviqj0iqdajdv.ls";
  const MIB = 1024 * 1024;

  /** Of a directory, with files of the shortest names that Nix would write. */
  function listing(bytes: number): Uint8Array<ArrayBuffer> {
    const file = (index: number) =>
      `"${index.toString(36).padStart(5, "0")}":{"narOffset":0,"size":1,"type":"regular"}`;
    const count = Math.ceil(bytes / (file(0).length + 1));
    const files = Array.from({ length: count }, (_, index) => file(index)).join();
    return Uint8Array.from(
      new TextEncoder().encode(`{"root":{"entries":{${files}},"type":"directory"},"version":1}`),
    );
  }

  const large = listing(40 * MIB);

  test.each<[string, Uint8Array<ArrayBuffer>]>([
    ["", large],
    ["gzip", new Uint8Array(gzipSync(large, { level: 1 }))],
    ["br", new Uint8Array(brotliCompressSync(large, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }))],
  ])(
    "is stored as it was sent, %s",
    async (coding, body) => {
      const headers = coding === "" ? {} : { "Content-Encoding": coding };
      expect(await cache.put(`/${key}`, body, headers)).toMatchObject({ status: 201 });
      const stored = await env.BUCKET.get(key);
      expect(stored?.httpMetadata?.contentEncoding).toBe(coding === "" ? undefined : coding);
      expect(Buffer.compare(new Uint8Array((await stored?.arrayBuffer()) ?? []), body)).toBe(0);
    },
    SLOW_MS,
  );

  test.each<[string, Uint8Array<ArrayBuffer>, number, RegExp]>([
    ["is cut", Uint8Array.of(), 400, /not valid JSON/],
    ["has an odd name at its end", Uint8Array.of(0xff), 200, /not UTF-8/],
  ])(
    "that %s stores nothing",
    async (_, end, status, line) => {
      const body = new Uint8Array(Buffer.concat([large.subarray(0, -3), end]));
      const answer = await cache.put(`/${key}`, body);
      expect(expectRefusal(answer, status)).toMatch(line);
      expect(await keys()).toEqual([]);
    },
    SLOW_MS,
  );

  test("whose body ends early stores nothing", async () => {
    const answer = await cache.put(`/${key}`, "{}", { "Content-Length": `${20 * MIB}` });
    expectRefusal(answer, 400);
    expect(await keys()).toEqual([]);
  });

  test(
    "fails as any other where the bucket does not take it",
    async () => {
      const { bucket } = watch(env.BUCKET, {
        before: async ({ name }) => {
          if (name === "put") throw r2Error("put", "We encountered an internal error.", 10001);
        },
      });
      expectRefusal(await cacheWith({ BUCKET: bucket }).put(`/${key}`, large), 503);
    },
    SLOW_MS,
  );
});

describe.each(JSON_KINDS)("a $kind is a JSON object", ({ key }) => {
  test.each([
    ["nothing", ""],
    ["text", "hello"],
    ["cut", '{"version":1,'],
    ["two of them", "{}{}"],
    ["a list", "[]"],
    ["null", "null"],
    ["a number", "1"],
    ["a string", '"{}"'],
  ])("not %s", async (_, body) => {
    expectRefusal(await cache.put(`/${key}`, body), 400);
    expect(await keys()).toEqual([]);
  });

  test.each(["{}", ' {\n"a": [1, {"b": null}]\n} \n', '{"a":"ß\\u0000"}'])("%j", async (body) => {
    expect((await cache.put(`/${key}`, body)).status).toBe(201);
  });
});

test("a log is any bytes", async () => {
  const [log] = AS_SENT.filter(({ kind }) => kind === "log");
  const bytes = new Uint8Array(256).map((_, index) => index);
  expect((await cache.put(`/${log?.key}`, bytes)).status).toBe(201);
  expect((await cache.get(`/${log?.key}`)).bytes).toEqual(bytes);
  expect((await cache.put(`/${log?.key}`, "")).status).toBe(201);
  expect((await cache.get(`/${log?.key}`)).bytes).toHaveLength(0);
});

test.each([
  ["listing", "ls-compression"],
  ["log", "log-compression"],
])("xz on a %s names the setting to change", async (kind, setting) => {
  const [object] = AS_SENT.filter((candidate) => candidate.kind === kind);
  const answer = await cache.put(`/${object?.key}`, "x", { "Content-Encoding": "xz" });
  expect(expectRefusal(answer, 415)).toContain(`set ${setting} to br, gzip, zstd or none`);
  expect(answer.headers.get("Accept-Encoding")).toBe("br, gzip, zstd");
});
