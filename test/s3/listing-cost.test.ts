// What a listing costs: a bounded number of operations, whatever else lies in the bucket.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { cacheWith, PUSH_TOKEN, store } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { elementOf } from "../support/upload.ts";

afterEach(reset);

const MAX_OPERATIONS = 12;
const Authorization = `Bearer ${PUSH_TOKEN}`;

/** The bucket with pages of `size` entries, as if everything in it were there many times. */
function inPages(size: number): R2Bucket {
  return new Proxy(env.BUCKET, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return property === "list"
        ? (options: R2ListOptions) => target.list({ ...options, limit: size })
        : value.bind(target);
    },
  });
}

/** All keys, page by page, and the most operations that a page took. */
async function listAll(bucket: R2Bucket, query: string): Promise<{ keys: string[]; most: number }> {
  const keys: string[] = [];
  let [most, token] = [0, ""];
  for (let page = 0; page < 100; page++) {
    const watched = watch(bucket);
    const cache = cacheWith({ BUCKET: watched.bucket });
    const { text, status } = await cache.get(`/?list-type=2${query}${token}`, { Authorization });
    expect(status, text).toBe(200);
    expect(watched.billed().B).toBe(0);
    most = Math.max(most, watched.billed().A);
    keys.push(...[...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key ?? ""));
    const next = elementOf(text, "NextContinuationToken");
    expect(elementOf(text, "IsTruncated")).toBe(String(next !== undefined));
    if (next === undefined) return { keys, most };
    token = `&continuation-token=${encodeURIComponent(next)}`;
  }
  throw new Error("the listing does not end");
}

test.each([
  ["everything", ""],
  ["the root", "&delimiter=/"],
  ["a folder", "&prefix=nar/"],
])("of %s among many objects that are not of the cache", async (_, query) => {
  for (const { key, body } of OBJECTS) await store(key, body);
  for (let index = 0; index < 40; index++) {
    const number = String(index).padStart(3, "0");
    for (const key of [`0-else-${number}`, `nar/-else ${number}/x`, `zz-${number}`]) await store(key, "x");
  }
  const whole = await listAll(env.BUCKET, query);
  const { keys, most } = await listAll(inPages(2), query);
  expect(keys).toEqual(whole.keys);
  expect(most).toBe(MAX_OPERATIONS);
  expect(whole.most).toBeLessThan(MAX_OPERATIONS);
});

test("of a small cache: one operation, and one for each folder", async () => {
  for (const { key, body } of OBJECTS) await store(key, body);
  const { keys, most } = await listAll(env.BUCKET, "");
  expect(keys).toEqual(OBJECTS.map(({ key }) => key).sort());
  expect(most).toBeLessThanOrEqual(6);
});

test("where only folders of others lie between, it says how to go on", async () => {
  for (let index = 0; index < 40; index++) await store(`0-${index + 10}/x`, "x");
  const answer = await cacheWith({ BUCKET: inPages(2) }).get("/?list-type=2", { Authorization });
  expect(answer.status).toBe(503);
  expect(answer.text).toMatch(/give a prefix/);
  expect(answer.text).not.toMatch(/0-\d\d\//);
});
