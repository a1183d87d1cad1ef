/** Multipart uploads: the parts become one NAR, also after an interruption. */
// @module-tag slow
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { MAX_UPLOAD_AGE_MS } from "../../src/catalog/remove/uploads.ts";
import { watch } from "../support/bucket.ts";
import { cacheWith, keys } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import {
  abort,
  begin,
  complete,
  elementOf,
  largeNar,
  listed,
  PART_BYTES,
  sendAll,
  sendPart,
} from "../support/upload.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const nar = await largeNar();
const [first, last] = nar.parts as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];

describe("an upload", () => {
  test("is a NAR once it is complete, and nothing before", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    expect((await cache.get(`/${nar.key}`)).status).toBe(404);
    const answer = await complete(cache, nar.key, uploadId, tags);
    expect(answer.status).toBe(200);
    expect(answer.headers.get("Content-Type")).toBe("application/xml");
    expect(elementOf(answer.text, "Key")).toBe(nar.key);
    const got = await cache.get(`/${nar.key}`);
    expect(got.bytes).toEqual(nar.bytes);
    expect(elementOf(answer.text, "ETag")).toBe(`&quot;${got.headers.get("ETag")?.slice(1, -1)}&quot;`);
    // Nothing is left of where it was staged, and the bucket has recorded its hash.
    expect(await keys()).toEqual([nar.key]);
    expect((await env.BUCKET.head(nar.key))?.checksums.sha256).toBeDefined();
    expect((await listed(cache, nar.key, uploadId)).status).toBe(404);
  });

  test("in the order of its numbers, whatever the order of sending", async () => {
    const uploadId = await begin(cache, nar.key);
    const two = await sendPart(cache, nar.key, uploadId, 20, last);
    const one = await sendPart(cache, nar.key, uploadId, 3, first);
    const tags = [one, two].map(({ headers }) => headers.get("ETag") ?? "");
    const answer = await complete(cache, nar.key, uploadId, [
      [3, tags[0] ?? ""],
      [20, tags[1] ?? ""],
    ]);
    expect(answer.status).toBe(200);
    expect((await cache.get(`/${nar.key}`)).bytes).toEqual(nar.bytes);
  });

  test("can be resumed: the parts so far are listed", async () => {
    const uploadId = await begin(cache, nar.key);
    const { headers } = await sendPart(cache, nar.key, uploadId, 1, first);
    const { text } = await listed(cache, nar.key, uploadId);
    expect([elementOf(text, "PartNumber"), elementOf(text, "Size"), elementOf(text, "IsTruncated")]).toEqual([
      "1",
      String(PART_BYTES),
      "false",
    ]);
    expect(elementOf(text, "ETag")).toBe(headers.get("ETag")?.replaceAll('"', "&quot;"));
    await sendPart(cache, nar.key, uploadId, 2, last);
    const page = (await listed(cache, nar.key, uploadId, "&max-parts=1&part-number-marker=1")).text;
    expect([elementOf(page, "PartNumber"), elementOf(page, "IsTruncated")]).toEqual(["2", "false"]);
    const begun = (await listed(cache, nar.key, uploadId, "&max-parts=1")).text;
    expect([elementOf(begun, "NextPartNumberMarker"), elementOf(begun, "IsTruncated")]).toEqual([
      "1",
      "true",
    ]);
  });

  test("a part sent again replaces the earlier", async () => {
    const uploadId = await begin(cache, nar.key);
    await sendPart(cache, nar.key, uploadId, 1, first.slice().reverse());
    await sendPart(cache, nar.key, uploadId, 2, last);
    const tags = [
      await sendPart(cache, nar.key, uploadId, 1, first),
      await sendPart(cache, nar.key, uploadId, 2, last),
    ];
    const list = tags.map(({ headers }, index) => [index + 1, headers.get("ETag") ?? ""] as const);
    expect((await complete(cache, nar.key, uploadId, list)).status).toBe(200);
    expect((await cache.get(`/${nar.key}`)).bytes).toEqual(nar.bytes);
  });

  test("whose completion got no answer is completed again with the same answer", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    const once = await complete(cache, nar.key, uploadId, tags);
    expect(await complete(cache, nar.key, uploadId, tags)).toEqual(once);
  });

  test("of a NAR that is here already costs no copy and leaves nothing", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    await cache.put(`/${nar.key}`, nar.bytes);
    const { bucket, billed } = watch(env.BUCKET);
    expect((await complete(cacheWith({ BUCKET: bucket }), nar.key, uploadId, tags)).status).toBe(200);
    expect(billed()).toEqual({ A: 0, B: 1 });
    expect(await keys()).toEqual([nar.key]);
  });

  test("that replaces a damaged NAR drops it from the edge", async () => {
    const path = await testPath();
    await push(cache, path);
    await env.BUCKET.put(path.narKey, "damaged");
    const { uploadId, tags } = await sendAll(cache, { key: path.narKey, parts: [path.nar] });
    expect((await complete(cache, path.narKey, uploadId, tags)).status).toBe(200);
    expect((await cache.get(`/${path.narKey}`)).bytes).toEqual(path.nar);
  });

  test("costs N + 3 class A operations", async () => {
    const { bucket, billed } = watch(env.BUCKET);
    const watched = cacheWith({ BUCKET: bucket });
    const { uploadId, tags } = await sendAll(watched, nar);
    await complete(watched, nar.key, uploadId, tags);
    expect(billed()).toEqual({ A: 2 + 3, B: 2 });
  });

  test("aborted leaves nothing", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    expect((await abort(cache, nar.key, uploadId)).status).toBe(204);
    expect((await abort(cache, nar.key, uploadId)).status).toBe(204);
    const late = await complete(cache, nar.key, uploadId, tags);
    expect([late.status, elementOf(late.text, "Code")]).toEqual([404, "NoSuchUpload"]);
    expect((await sendPart(cache, nar.key, uploadId, 1, first)).status).toBe(404);
    expect(await keys()).toEqual([]);
  });
});

describe("interrupted", () => {
  test.each([
    ["before", "complete"],
    ["after", "complete"],
    ["before", "get"],
    ["before", "put"],
    ["after", "put"],
  ] as const)("%s the bucket's %s, the same completion finishes it", async (when, name) => {
    const { uploadId, tags } = await sendAll(cache, nar);
    const { bucket } = watch(env.BUCKET, {
      [when]: (operation: { name: string }) => {
        if (operation.name === name) throw new Error("Network connection lost.");
      },
    });
    const failed = await complete(cacheWith({ BUCKET: bucket }), nar.key, uploadId, tags);
    expect([failed.status, elementOf(failed.text, "Code")]).toEqual([503, "ServiceUnavailable"]);
    expect((await complete(cache, nar.key, uploadId, tags)).status).toBe(200);
    expect((await cache.get(`/${nar.key}`)).bytes).toEqual(nar.bytes);
    expect(await keys()).toEqual([nar.key]);
  });

  test("after the copy, what could not be deleted is swept in a week", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    let isFailing = true;
    const { bucket } = watch(env.BUCKET, {
      before: ({ name }) => {
        if (isFailing && name === "delete") throw new Error("Network connection lost.");
      },
    });
    expect((await complete(cacheWith({ BUCKET: bucket }), nar.key, uploadId, tags)).status).toBe(200);
    isFailing = false;
    expect(await keys()).toHaveLength(2);
    await alarmIn(MAX_UPLOAD_AGE_MS - 60_000);
    expect(await keys()).toHaveLength(2);
    await alarmIn(MAX_UPLOAD_AGE_MS + 60_000);
    expect(await keys()).toEqual([nar.key]);
  });

  test("and never taken up again, it is aborted in a week", async () => {
    const { uploadId } = await sendAll(cache, nar);
    await alarmIn(MAX_UPLOAD_AGE_MS + 60_000);
    expect((await listed(cache, nar.key, uploadId)).status).toBe(404);
    expect((await sendPart(cache, nar.key, uploadId, 3, last)).status).toBe(404);
  });

  /** Runs the catalog's alarm as if so many milliseconds had passed. */
  async function alarmIn(ms: number): Promise<void> {
    const later = Date.now() + ms;
    vi.useFakeTimers({ now: later, toFake: ["Date"] });
    try {
      await runInDurableObject(env.CATALOG.getByName("nix-cache"), (catalog: Catalog) => catalog.alarm());
    } finally {
      vi.useRealTimers();
    }
  }
});

test("two at once of one NAR are both told that it is here", async () => {
  const uploads = await Promise.all([sendAll(cache, nar), sendAll(cache, nar)]);
  const answers = await Promise.all(
    uploads.map(({ uploadId, tags }) => complete(cache, nar.key, uploadId, tags)),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200]);
  expect((await cache.get(`/${nar.key}`)).bytes).toEqual(nar.bytes);
  expect(await keys()).toEqual([nar.key]);
});

test("a narinfo whose NAR came in parts is published without hashing it again", async () => {
  const path = await testPath();
  const { uploadId, tags } = await sendAll(cache, { key: path.narKey, parts: [path.nar] });
  await complete(cache, path.narKey, uploadId, tags);
  const { bucket, billed } = watch(env.BUCKET);
  expect((await cacheWith({ BUCKET: bucket }).put(`/${path.key}`, path.text)).status).toBe(201);
  expect(billed()).toEqual({ A: 1, B: 1 });
});
