// The bucket in memory, over which most histories run, answers as the local R2 does.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { afterEach, expect, it } from "vitest";
import { r2Code } from "../../src/bucket/operation.ts";
import { RUNS } from "../support/histories.ts";
import { memoryBucket } from "../support/memory-bucket.ts";
import { sha256 } from "../support/store-paths.ts";

const KEYS = ["a.narinfo", "b.narinfo", "c.ls", "nar/a", "nar/b", "nar/sub/c"];

const key = fc.constantFrom(...KEYS);
const text = fc.constantFrom("", "one", "two");
/** The etag of a text, of any object, of none. */
const tag = fc.constantFrom("one", "two", "*", "other", undefined);

const operation = fc.oneof(
  fc.record({ kind: fc.constant("head" as const), key }),
  fc.record({ kind: fc.constant("get" as const), key, matches: tag }),
  fc.record({ kind: fc.constant("start" as const), key, length: fc.integer({ min: 1, max: 5 }) }),
  fc.record({
    kind: fc.constant("put" as const),
    key,
    text,
    matches: tag,
    differs: tag,
    checksum: fc.constantFrom("one", "two", undefined),
    asStream: fc.boolean(),
  }),
  fc.record({ kind: fc.constant("delete" as const), keys: fc.uniqueArray(key, { minLength: 1 }) }),
  fc.record({
    kind: fc.constant("list" as const),
    prefix: fc.constantFrom("", "nar/", "x"),
    isFlat: fc.boolean(),
    startAfter: fc.constantFrom(undefined, ...KEYS, "nar/zz", "b"),
    limit: fc.constantFrom(1, 2, 3, 1000),
  }),
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

afterEach(() => reset());

it("answers as the local R2 does", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { minLength: 1, maxLength: 12 }), async (operations) => {
      await env.BUCKET.delete(KEYS);
      const memory = memoryBucket(() => 0);
      for (const operation of operations) {
        expect(await perform(memory, operation)).toEqual(await perform(env.BUCKET, operation));
      }
    }),
    { numRuns: RUNS / 4 },
  );
}, 600_000);

async function perform(bucket: R2Bucket, operation: Operation): Promise<unknown> {
  try {
    switch (operation.kind) {
      case "head":
        return described(await bucket.head(operation.key));
      case "get":
        return described(
          await bucket.get(operation.key, { onlyIf: await conditions({ etagMatches: operation.matches }) }),
        );
      case "start":
        return described(await bucket.get(operation.key, { range: { offset: 0, length: operation.length } }));
      case "put": {
        const { key, text, matches, differs, checksum, asStream } = operation;
        const object: R2Object | null = await bucket.put(key, asStream ? streamOf(text) : text, {
          onlyIf: await conditions({ etagMatches: matches, etagDoesNotMatch: differs }),
          httpMetadata: { contentType: "text/plain" },
          customMetadata: { by: "test" },
          ...(checksum !== undefined && { sha256: (await sha256(bytesOf(checksum))).bytes }),
        });
        return described(object);
      }
      case "delete":
        return await bucket.delete(operation.keys);
      case "list":
        return await listed(bucket, operation);
    }
  } catch (error) {
    return { code: r2Code(error) };
  }
}

/** All pages. */
async function listed(
  bucket: R2Bucket,
  { prefix, isFlat, startAfter, limit }: Extract<Operation, { kind: "list" }>,
): Promise<unknown> {
  const pages: unknown[] = [];
  let after = startAfter;
  for (;;) {
    const page = await bucket.list({
      prefix,
      limit,
      ...(!isFlat && { delimiter: "/" }),
      ...(after !== undefined && { startAfter: after }),
    });
    const keys = page.objects.map(({ key }) => key);
    pages.push({ keys, folders: page.delimitedPrefixes, truncated: page.truncated });
    const [last] = [...keys, ...page.delimitedPrefixes.map((folder) => folder.replace(/\/$/, "0"))]
      .sort()
      .reverse();
    if (!page.truncated || last === undefined) return pages;
    after = last;
  }
}

async function conditions(tags: {
  etagMatches?: string | undefined;
  etagDoesNotMatch?: string | undefined;
}): Promise<R2Conditional> {
  const given = Object.entries(tags).filter(([, tag]) => tag !== undefined) as [string, string][];
  return Object.fromEntries(
    await Promise.all(given.map(async ([name, tag]) => [name, tag === "*" ? tag : await etagOf(tag)])),
  );
}

async function etagOf(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("MD5", bytesOf(text))).toHex();
}

/** What the catalog and the Worker use of an object. */
async function described(object: R2Object | R2ObjectBody | null): Promise<unknown> {
  if (object === null) return null;
  const { key, size, etag, httpEtag, checksums, httpMetadata, customMetadata } = object;
  return {
    ...{ key, size, etag, httpEtag, httpMetadata, customMetadata },
    sha256: checksums.sha256 && new Uint8Array(checksums.sha256).toHex(),
    text: "body" in object ? await object.text() : undefined,
  };
}

function streamOf(text: string): ReadableStream {
  return new Response(text).body ?? new ReadableStream();
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}
