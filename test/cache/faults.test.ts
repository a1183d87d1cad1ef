/** A bucket that fails at any operation: the answer is 503 in one line and nothing is half stored. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import type { Env } from "../../src/env.ts";
import { failing, type Interference, losingAnswers, type Operation, watch } from "../support/bucket.ts";
import { type Answer, cacheWith, contents, PUSH_TOKEN, store, type TestCache } from "../support/cache.ts";
import { signatureBy } from "../support/catalog.ts";
import { captureLog } from "../support/log.ts";
import { AS_SENT, OBJECTS, REALISATIONS, withSignatures } from "../support/objects.ts";
import { expectRefusal } from "../support/refusal.ts";
import { SLOW_MS } from "../support/slow.ts";
import { compressedPath, push, testPath } from "../support/store-paths.ts";

afterEach(reset);
captureLog();

interface Case {
  readonly name: string;
  /** How many operations of the bucket and its objects it takes; each of them fails once. */
  readonly operations: number;
  readonly prepare?: () => Promise<unknown>;
  readonly request: (cache: TestCache) => Promise<Answer>;
  /** What may be answered after a failure, where that is more than the same or that it is there already. */
  readonly again?: readonly number[];
}

const cache = cacheWith();
const path = await testPath();
const large = await testPath("large-1.0", "x".repeat(64 * 1024));
const unknown = await compressedPath("unknown");
const referring = await testPath("referring-1.0", "referring", {
  references: [path.info.storePath.baseName],
});
const signed = `${path.text}Sig: a-1:${new Uint8Array(64).toBase64()}\n`;
const withoutFileHash = unknown.text.replace(/^FileHash: .*\n/m, "");

const READS: Case[] = [
  {
    name: "GET of an object",
    operations: 1,
    prepare: () => store("nar/x", "0123456789"),
    request: (ill) => ill.get("/nar/x"),
  },
  { name: "GET of nothing", operations: 1, request: (ill) => ill.get("/nar/x") },
  {
    name: "GET of a part",
    operations: 1,
    prepare: () => store("nar/x", "0123456789"),
    request: (ill) => ill.get("/nar/x", { Range: "bytes=2-4" }),
  },
  {
    name: "GET under a condition",
    operations: 1,
    prepare: () => store("nar/x", "0123456789"),
    request: (ill) => ill.get("/nar/x", { "If-None-Match": "*" }),
  },
  {
    name: "GET of the whole after an If-Range that does not hold",
    operations: 2,
    prepare: () => store("nar/x", "0123456789"),
    request: (ill) => ill.get("/nar/x", { Range: "bytes=2-4", "If-Range": '"x"' }),
  },
];

const WRITES: Case[] = [
  { name: "PUT of a NAR", operations: 1, request: (ill) => ill.put(`/${path.narKey}`, path.nar) },
  {
    name: "PUT of a NAR above 64 KiB",
    operations: 2,
    request: (ill) => ill.put(`/${large.narKey}`, large.nar),
  },
  {
    name: "PUT of a NAR that is there",
    operations: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (ill) => ill.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT of a NAR over one without a checksum",
    operations: 3,
    prepare: () => store(path.narKey, "damaged"),
    request: (ill) => ill.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT of a NAR above 64 KiB over one without a checksum",
    operations: 2,
    prepare: () => store(large.narKey, "damaged"),
    request: (ill) => ill.put(`/${large.narKey}`, large.nar),
  },
  {
    name: "PUT of a narinfo",
    operations: 3,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (ill) => ill.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT of a narinfo that is there, with a new signature",
    operations: 3,
    prepare: () => push(cache, path),
    request: (ill) => ill.put(`/${path.key}`, signed),
  },
  {
    name: "PUT of a narinfo with a reference that only the bucket knows",
    operations: 5,
    prepare: async () => {
      await cache.put(`/${path.narKey}`, path.nar);
      await store(path.key, path.text);
      await cache.put(`/${referring.narKey}`, referring.nar);
    },
    request: (ill) => ill.put(`/${referring.key}`, referring.text),
  },
  {
    name: "PUT of a narinfo over one that has gone",
    operations: 3,
    prepare: async () => {
      await push(cache, path);
      await env.BUCKET.delete(path.key);
    },
    request: (ill) => ill.put(`/${path.key}`, path.text),
    // After a failure the catalog looks into the bucket, and learns that the path was not there any more.
    again: [200, 201],
  },
  {
    name: "PUT of a narinfo over a broken one",
    operations: 8,
    prepare: async () => {
      await cache.put(`/${path.narKey}`, path.nar);
      await store(path.key, "broken");
    },
    request: (ill) => ill.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT of a narinfo whose NAR has no checksum",
    operations: 5,
    prepare: () => store(unknown.narKey, unknown.nar),
    request: (ill) => ill.put(`/${unknown.key}`, unknown.text),
  },
  {
    name: "PUT of a narinfo without FileHash whose NAR has no checksum",
    operations: 4,
    prepare: () => store(unknown.narKey, unknown.nar),
    request: (ill) => ill.put(`/${unknown.key}`, withoutFileHash),
  },
  ...AS_SENT.map(
    ({ kind, key, body }): Case => ({
      name: `PUT of a ${kind} over another one`,
      operations: 1,
      prepare: () => store(key, '{"older":1}'),
      request: (ill) => ill.put(`/${key}`, body),
    }),
  ),
  ...REALISATIONS.flatMap(({ kind, key, body }): Case[] => [
    { name: `PUT of a ${kind}`, operations: 1, request: (ill) => ill.put(`/${key}`, body) },
    {
      name: `PUT of a ${kind} that is there, with a new signature`,
      operations: 3,
      prepare: () => cache.put(`/${key}`, body),
      request: (ill) => ill.put(`/${key}`, withSignatures(body, signatureBy("a-1"))),
    },
  ]),
];

const illCache = (interference: Interference) =>
  cacheWith({ BUCKET: watch(env.BUCKET, interference).bucket });

describe.each([...READS, ...WRITES])("$name", ({ operations, prepare, request, again: mayBe }) => {
  /** Makes the request with a fault at each operation in turn, then again with the bucket well. */
  async function withFaults(
    faultAt: (number: number) => Interference,
    check: (answer: Answer, state: { before: unknown; now: unknown; after: unknown }) => void,
  ): Promise<void> {
    await prepare?.();
    const before = await contents();
    const { status } = await request(cache);
    const after = await contents();
    for (let number = 0; number < operations; number++) {
      await reset();
      await prepare?.();
      const answer = await request(illCache(faultAt(number)));
      const now = await contents();
      check(answer, { before, now, after });
      if (answer.status >= 300) {
        expect(expectRefusal(answer, 503)).toMatch(/^the bucket did not answer \(\w+\)/);
        expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
      }
      // The client tries again, and the bucket is well.
      const again = await request(cache);
      expect(mayBe ?? [status, ...(status === 201 ? [200] : [])]).toContain(again.status);
      expect(await contents()).toEqual(after);
    }
  }

  test(`takes ${operations} operations`, async () => {
    await prepare?.();
    const watched = watch(env.BUCKET);
    await request(cacheWith({ BUCKET: watched.bucket }));
    expect(watched.operations).toHaveLength(operations);
  });

  test.each<[string, (at: number) => (operation: Operation) => boolean]>([
    ["fails", (at) => (operation) => operation.number === at],
    ["fails, and all after it", (at) => (operation) => operation.number >= at],
  ])(
    "each operation in turn %s: 503, and nothing has changed",
    async (_, when) => {
      await withFaults(
        (at) => failing(when(at)),
        (answer, { before, now }) => {
          expect(answer.status).toBe(503);
          expect(now).toEqual(before);
        },
      );
    },
    SLOW_MS,
  );

  test.each<[string, (at: number) => (operation: Operation) => boolean]>([
    ["loses its answer", (at) => (operation) => operation.number === at],
    ["loses its answer, and all after it", (at) => (operation) => operation.number >= at],
  ])(
    "each operation in turn %s: it has happened as a whole or not at all",
    async (_, when) => {
      await withFaults(
        (at) => losingAnswers(when(at)),
        (answer, { before, now, after }) => {
          if (answer.status === 503) expect([before, after]).toContainEqual(now);
          else expect(now).toEqual(after);
        },
      );
    },
    SLOW_MS,
  );
});

test.each(OBJECTS)("a $kind: 503, and not a 404 that clients would remember", async ({ key }) => {
  const ill = illCache(failing(() => true));
  expectRefusal(await ill.get(`/${key}`), 503);
  expectRefusal(await ill.get(`/${key}`, { Range: "bytes=0-1" }), 503);
  const head = await ill.head(`/${key}`);
  expect([head.status, head.headers.get("Cache-Control"), head.text]).toEqual([503, "no-store", ""]);
});

describe("a catalog that fails", () => {
  const failed = () => Promise.reject(new Error("Durable Object reset because its code was updated."));
  const stub = new Proxy({}, { get: () => failed });
  const ill = () => cacheWith({ CATALOG: { getByName: () => stub } as unknown as Env["CATALOG"] });

  test.each(["narinfo", "nar"])("stops no reading of a %s, not even by a pusher", async (kind) => {
    const object = kind === "nar" ? [path.narKey, "x"] : [path.key, path.text];
    const [key = "", body = ""] = object;
    await store(key, body);
    for (const headers of [{}, { Authorization: `Bearer ${PUSH_TOKEN}` }]) {
      expect(await ill().get(`/${key}`, headers)).toMatchObject({ status: 200, text: body });
      expect(await ill().head(`/${key}`, headers)).toMatchObject({ status: 200 });
      expect(await ill().head("/nar/missing", headers)).toMatchObject({ status: 404 });
    }
  });

  test.each([
    ["a NAR", path.narKey, path.nar],
    ["a narinfo", path.key, path.text],
  ])("a PUT of %s is a 503, and nothing has changed", async (_, key, body) => {
    if (key === path.key) await cache.put(`/${path.narKey}`, path.nar);
    const before = await contents();
    const answer = await ill().put(`/${key}`, body);
    expect(expectRefusal(answer, 503)).toMatch(/^the catalog of this cache did not answer; .*try this again/);
    expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    expect(await contents()).toEqual(before);
  });
});

test("what the bucket says of its failure is for the log, not for the client", async () => {
  const leaking: Interference = {
    before: () => {
      throw new Error("secret detail at account 1234 (10001)");
    },
  };
  for (const request of [
    () => illCache(leaking).get("/nar/x"),
    () => illCache(leaking).put(`/${path.narKey}`, path.nar),
  ]) {
    expect(expectRefusal(await request(), 503)).not.toMatch(/secret|1234|10001/);
  }
});
