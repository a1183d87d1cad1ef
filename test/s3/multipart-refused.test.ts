/** Multipart uploads that are refused: nothing half ever shows. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { cacheWith, keys, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { abort, begin, complete, elementOf, largeNar, listed, sendAll, sendPart } from "../support/upload.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const nar = await largeNar();
const [first, last] = nar.parts as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];

describe("refused, and nothing shows", () => {
  async function refusalOf(answer: { status: number; text: string }) {
    expect((await cache.get(`/${nar.key}`)).status).toBe(404);
    return [answer.status, elementOf(answer.text, "Code"), elementOf(answer.text, "Message")];
  }

  test("a name that is no hash, before anything is sent", async () => {
    await expect(begin(cache, "nar/hello.nar")).rejects.toThrow("InvalidRequest");
  });

  test.each(["0", "10001", "x", "", "1.5", "-1"])("part number %j", async (number) => {
    const uploadId = await begin(cache, nar.key);
    const answer = await sendPart(cache, nar.key, uploadId, number, last);
    expect([answer.status, elementOf(answer.text, "Code")]).toEqual([400, "InvalidArgument"]);
  });

  test.each(["", "x", "x.y", `${crypto.randomUUID()}.x`, crypto.randomUUID()])(
    "upload %j",
    async (uploadId) => {
      for (const answer of [
        await sendPart(cache, nar.key, uploadId, 1, last),
        await listed(cache, nar.key, uploadId),
        await abort(cache, nar.key, uploadId),
        await complete(cache, nar.key, uploadId, [[1, "x"]]),
      ]) {
        expect([answer.status, elementOf(answer.text, "Code")]).toEqual([404, "NoSuchUpload"]);
      }
    },
  );

  test("the upload of another key", async () => {
    const other = await largeNar(2);
    const { uploadId, tags } = await sendAll(cache, nar);
    expect((await complete(cache, other.key, uploadId, tags)).status).toBe(404);
    expect((await listed(cache, other.key, uploadId)).status).toBe(404);
    expect((await sendPart(cache, other.key, uploadId, 1, first)).status).toBe(404);
  });

  test("a wrong order", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    const answer = await complete(cache, nar.key, uploadId, tags.toReversed());
    expect(await refusalOf(answer)).toEqual([
      400,
      "InvalidPartOrder",
      "part 1 comes after part 2 in the list",
    ]);
    // It is not spoilt by that.
    expect((await complete(cache, nar.key, uploadId, tags)).status).toBe(200);
  });

  test("a part twice, one that is not there, a wrong ETag, no list", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    const [one, two] = tags as [[number, string], [number, string]];
    const codes = [];
    for (const list of [[one, one], [one, two, [3, two[1]] as const], [one, [2, one[1]] as const], []]) {
      codes.push((await refusalOf(await complete(cache, nar.key, uploadId, list))).slice(0, 2).join(" "));
    }
    expect(codes).toEqual(["400 InvalidPartOrder", "400 InvalidPart", "400 InvalidPart", "400 MalformedXML"]);
  });

  test("a short part in the middle", async () => {
    const short = [last, first];
    const { uploadId, tags } = await sendAll(cache, { key: nar.key, parts: short });
    const [status, code] = await refusalOf(await complete(cache, nar.key, uploadId, tags));
    expect([status, code]).toEqual([400, "EntityTooSmall"]);
  });

  test("a missing part: the hash is another, and what was sent goes", async () => {
    const { uploadId, tags } = await sendAll(cache, nar);
    const answer = await complete(cache, nar.key, uploadId, tags.slice(0, 1));
    expect(await refusalOf(answer)).toEqual([
      400,
      "BadDigest",
      `the parts together do not have the SHA-256 that ${nar.key} says; nothing was stored, upload it again`,
    ]);
    expect(await keys()).toEqual([]);
    // Also when a client asks again, or aborts it before it tells its user.
    expect(await complete(cache, nar.key, uploadId, tags)).toEqual(answer);
    expect((await abort(cache, nar.key, uploadId)).status).toBe(204);
    expect(await complete(cache, nar.key, uploadId, tags)).toEqual(answer);
  });

  test("a part without a length", async () => {
    const uploadId = await begin(cache, nar.key);
    const answer = await cache.fetch(`/${nar.key}?partNumber=1&uploadId=${encodeURIComponent(uploadId)}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${PUSH_TOKEN}` },
      body: new Blob([last]).stream(),
    });
    expect([answer.status, elementOf(answer.text, "Code")]).toEqual([411, "MissingContentLength"]);
    expect(elementOf((await listed(cache, nar.key, uploadId)).text, "Part")).toBeUndefined();
  });

  test("without the push token", async () => {
    const guarded = cacheWith({ PULL_TOKEN });
    for (const [method, query] of [
      ["POST", "uploads"],
      ["PUT", "partNumber=1&uploadId=x"],
      ["POST", "uploadId=x"],
      ["GET", "uploadId=x"],
      ["DELETE", "uploadId=x"],
    ]) {
      const init = { method: method ?? "", headers: { Authorization: `Bearer ${PULL_TOKEN}` } };
      expect((await guarded.fetch(`/${nar.key}?${query}`, init)).status).toBe(403);
      expect((await guarded.fetch(`/${nar.key}?${query}`, { method: method ?? "" })).status).toBe(401);
    }
    expect(await keys()).toEqual([]);
  });
});
