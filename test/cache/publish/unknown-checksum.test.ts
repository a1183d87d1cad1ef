/** A NAR that R2 has no SHA-256 for (a multipart upload, another tool): hashed once, and remembered. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { meanwhile, r2Error, watch } from "../../support/bucket.ts";
import { cacheWith, reindex, store } from "../../support/cache.ts";
import { captureLog } from "../../support/log.ts";
import { expectRefusal } from "../../support/refusal.ts";
import { compressedPath, type TestPath } from "../../support/store-paths.ts";

afterEach(reset);
captureLog();

const cache = cacheWith();
const path = await compressedPath("another");

async function recordedSha256(key: string): Promise<string | undefined> {
  return (await env.BUCKET.head(key))?.checksums.toJSON().sha256;
}

function withoutFileHash({ text }: TestPath): string {
  return text.replace(/^FileHash: .*\n/m, "");
}

async function multipartUpload(key: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const upload = await env.BUCKET.createMultipartUpload(key, {
    httpMetadata: { contentType: "application/x-nix-nar" },
    customMetadata: { origin: "ci" },
  });
  await upload.complete([await upload.uploadPart(1, body)]);
}

describe.each([
  ["put by another tool", store],
  ["uploaded in parts", multipartUpload],
])("%s", (_, bring) => {
  test("is hashed by the bucket itself, once", async () => {
    const path = await compressedPath("unknown");
    await bring(path.narKey, path.nar);
    const before = await env.BUCKET.head(path.narKey);
    expect(await recordedSha256(path.narKey)).toBeUndefined();

    const first = watch(env.BUCKET);
    const answer = await cacheWith({ BUCKET: first.bucket }).put(`/${path.key}`, path.text);
    expect(answer.status).toBe(201);
    expect(await recordedSha256(path.narKey)).toBe(path.info.fileHash?.bytes.toHex());
    expect(first.operations.map(({ name, key }) => `${name} ${key}`)).toEqual([
      `get ${path.narKey}`,
      `bytes ${path.narKey}`,
      `get ${path.narKey}`,
      `put ${path.narKey}`,
      `put ${path.key}`,
    ]);
    const after = await env.BUCKET.head(path.narKey);
    expect([after?.httpMetadata, after?.customMetadata]).toEqual([
      before?.httpMetadata,
      before?.customMetadata,
    ]);
    expect((await cache.get(`/${path.narKey}`)).bytes).toEqual(path.nar);

    await env.BUCKET.delete(path.key);
    const second = watch(env.BUCKET);
    await cacheWith({ BUCKET: second.bucket }).put(`/${path.key}`, path.text);
    expect(second.billed()).toEqual({ A: 1, B: 1 });
  });

  test("is refused where it has another content than FileHash says, and stays as it is", async () => {
    const path = await compressedPath("unknown-wrong");
    const wrong = path.nar.map((byte) => byte ^ 1);
    await bring(path.narKey, wrong);
    const line = expectRefusal(await cache.put(`/${path.key}`, path.text), 409);
    expect(line).toMatch(/has the hash sha256:\w{52}, not sha256:\w{52}; push the path again/);
    expect((await cache.get(`/${path.narKey}`)).bytes).toEqual(wrong);
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });

  test("without a FileHash to go by it is hashed all the same", async () => {
    const path = await compressedPath("unknown-unsaid");
    await bring(path.narKey, path.nar);
    expect((await cache.put(`/${path.key}`, withoutFileHash(path))).status).toBe(201);
    expect((await cache.get(`/${path.key}`)).text).toBe(path.text);
  });
});

describe("of a published path it is not hashed again and again:", () => {
  test.each([
    ["the catalog knows the path", reindex, { A: 1, B: 1 }],
    // The catalog takes the path for a new one: it hashes the NAR, fails to write, looks and decides again.
    ["the catalog knows nothing of it", async () => undefined, { A: 2, B: 4 }],
  ])("%s", async (_, prepare, first) => {
    const path = await compressedPath("published");
    await store(path.narKey, path.nar);
    await store(path.key, path.text);
    await prepare();
    for (const expected of [first, { A: 1, B: 1 }]) {
      const watched = watch(env.BUCKET);
      const answer = await cacheWith({ BUCKET: watched.bucket }).put(`/${path.key}`, path.text);
      expect([answer.status, watched.billed()]).toEqual([200, expected]);
    }
  });
});

describe("another one while it is hashed: refused, and nothing waits for it", () => {
  const withoutFileSize = (text: string) => text.replace(/^FileSize: .*\n/m, "");

  test.each<[string, string, () => Promise<unknown>]>([
    ["deleted", path.text, () => env.BUCKET.delete(path.narKey)],
    ["deleted, and no FileHash is known", withoutFileHash(path), () => env.BUCKET.delete(path.narKey)],
    ["replaced by a wrong one", path.text, () => store(path.narKey, "another content")],
    // Its size is not the one that was looked at.
    ["replaced by the right one", withoutFileSize(path.text), () => cache.put(`/${path.narKey}`, path.nar)],
  ])("%s", async (_, text, action) => {
    await store(path.narKey, "what was looked at");
    const { bucket } = watch(
      env.BUCKET,
      meanwhile(({ name, key, isRanged }) => name === "get" && key === path.narKey && !isRanged, action),
    );
    const same = text.replace(/^FileSize: .*$/m, "FileSize: 18");
    const answer = await cacheWith({ BUCKET: bucket }).put(`/${path.key}`, same);
    expect(expectRefusal(answer, 409)).toMatch(/was replaced or deleted at this moment; push the path again/);
    expectRefusal(await cache.get(`/${path.key}`), 404);
  });
});

test("where the bucket fails while hashing, nothing is published and the NAR stays", async () => {
  const path = await compressedPath("failing");
  await store(path.narKey, path.nar);
  const { bucket } = watch(env.BUCKET, {
    before: ({ name, key }) => {
      if (name === "put" && key === path.narKey) throw r2Error("put", "Internal error.", 10001);
    },
  });
  expectRefusal(await cacheWith({ BUCKET: bucket }).put(`/${path.key}`, path.text), 503);
  expect((await cache.get(`/${path.narKey}`)).bytes).toEqual(path.nar);
  expectRefusal(await cache.get(`/${path.key}`), 404);
});
