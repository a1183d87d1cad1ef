/** Above the limit of one put: hashed, then copied in parts. The limit is lowered here; the rest is as it is. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { promote } from "../../src/bucket/promote.ts";
import { losingRequests, watch } from "../support/bucket.ts";
import { cacheWith, keys, store } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { sha256, testPath } from "../support/store-paths.ts";
import { largeNar, PART_BYTES } from "../support/upload.ts";

afterEach(reset);
captureLog();

const nar = await largeNar();
const hash = (await sha256(nar.bytes)).bytes.toHex();

async function staged(bytes: Uint8Array<ArrayBuffer> = nar.bytes): Promise<R2ObjectBody> {
  await store("uploads/x", bytes);
  const object = await env.BUCKET.get("uploads/x");
  if (object === null) throw new Error("it was stored");
  return object;
}

describe("an object too large for one put", () => {
  test("is copied in parts, and its hash is remembered", async () => {
    const { bucket, billed } = watch(env.BUCKET);
    const etag = await promote(bucket, await staged(), nar.key, hash, PART_BYTES);
    const answer = await cacheWith().get(`/${nar.key}`);
    expect(answer.bytes).toEqual(nar.bytes);
    expect(answer.headers.get("ETag")).toBe(`"${etag}"`);
    // Two parts, and one operation each before and after them.
    expect(billed()).toEqual({ A: 4, B: 2 });
  });

  test("is known from then on: no second upload, and no hashing for its narinfo", async () => {
    await promote(env.BUCKET, await staged(), nar.key, hash, PART_BYTES);
    expect((await cacheWith().put(`/${nar.key}`, nar.bytes)).status).toBe(200);
    const fileHash = await sha256(nar.bytes);
    const { info, text, key } = await testPath("large", "", {
      url: nar.key,
      fileHash,
      narHash: fileHash,
      fileSize: nar.bytes.length,
      narSize: nar.bytes.length,
    });
    expect(info.url).toBe(nar.key);
    const { bucket, billed } = watch(env.BUCKET);
    expect((await cacheWith({ BUCKET: bucket }).put(`/${key}`, text)).status).toBe(201);
    expect(billed()).toEqual({ A: 1, B: 1 });
  });

  test("with another hash is refused", async () => {
    const wrong = staged(nar.bytes.toReversed());
    await expect(promote(env.BUCKET, await wrong, nar.key, hash, PART_BYTES)).rejects.toMatchObject({
      status: 400,
      code: "BadDigest",
    });
    expect(await keys()).toEqual(["uploads/x"]);
  });

  test.each(["createMultipartUpload", "get", "uploadPart", "complete"])(
    "shows nothing if %s fails",
    async (name) => {
      const source = await staged();
      const { bucket } = watch(
        env.BUCKET,
        losingRequests((operation) => operation.name === name),
      );
      await expect(promote(bucket, source, nar.key, hash, PART_BYTES)).rejects.toMatchObject({ status: 503 });
      expect(await keys()).toEqual(["uploads/x"]);
    },
  );

  test("that is replaced while it is copied is not a mixture", async () => {
    const source = await staged();
    const { bucket } = watch(env.BUCKET, {
      after: async ({ name }) => {
        if (name === "createMultipartUpload") await store("uploads/x", nar.bytes.toReversed());
      },
    });
    await expect(promote(bucket, source, nar.key, hash, PART_BYTES)).rejects.toMatchObject({ status: 503 });
    expect(await keys()).toEqual(["uploads/x"]);
  });
});
