/** A bucket that fails: whatever it was asked at that moment, the answer is 503 in one line and nothing is half stored. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { failing, type Interference, losingAnswers, type Operation, watch } from "../support/bucket.ts";
import { type Answer, cacheWith, contents, store, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { METADATA, OBJECTS } from "../support/objects.ts";
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
}

const cache = cacheWith();
const path = await testPath();
const unknown = await compressedPath("unknown");
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
  { name: "PUT of a NAR", operations: 2, request: (ill) => ill.put(`/${path.narKey}`, path.nar) },
  {
    name: "PUT of a NAR that is there",
    operations: 1,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (ill) => ill.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT of a NAR over one without a checksum",
    operations: 2,
    prepare: () => store(path.narKey, "damaged"),
    request: (ill) => ill.put(`/${path.narKey}`, path.nar),
  },
  {
    name: "PUT of a narinfo",
    operations: 3,
    prepare: () => cache.put(`/${path.narKey}`, path.nar),
    request: (ill) => ill.put(`/${path.key}`, path.text),
  },
  {
    name: "PUT of a narinfo that is there, with a new signature",
    operations: 4,
    prepare: () => push(cache, path),
    request: (ill) => ill.put(`/${path.key}`, signed),
  },
  {
    name: "PUT of a narinfo over a broken one",
    operations: 4,
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
  ...METADATA.map(
    ({ kind, key, body }): Case => ({
      name: `PUT of a ${kind} over another one`,
      operations: 1,
      prepare: () => store(key, '{"older":1}'),
      request: (ill) => ill.put(`/${key}`, body),
    }),
  ),
];

const illCache = (interference: Interference) =>
  cacheWith({ BUCKET: watch(env.BUCKET, interference).bucket });

describe.each([...READS, ...WRITES])("$name", ({ operations, prepare, request }) => {
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
      if (again.status !== status) expect([again.status, status]).toEqual([200, 201]);
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
