/** What is no NAR, sent in parts, as clients send everything above a limit of their own. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test } from "vitest";
import { type Answer, type Body, cacheWith, keys } from "../support/cache.ts";
import { OBJECTS } from "../support/objects.ts";
import { BUCKET, codeOf, s3Client } from "../support/s3.ts";
import { bytesOf, testPath } from "../support/store-paths.ts";
import { elementOf, PART_BYTES } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith();
const s3 = s3Client(cache);
const path = await testPath();
const LOG = OBJECTS.find(({ kind }) => kind === "log")?.key ?? "";
const LISTING = OBJECTS.find(({ kind }) => kind === "listing")?.key ?? "";

/** Their lengths in bytes. */
const CHECKSUMS = [
  ["content-md5", 16],
  ["x-amz-checksum-crc32", 4],
  ["x-amz-checksum-crc32c", 4],
  ["x-amz-checksum-crc64nvme", 8],
  ["x-amz-checksum-sha1", 20],
  ["x-amz-checksum-sha256", 32],
] as const;

interface Upload {
  readonly complete: (headers?: Readonly<Record<string, string>>) => Promise<Answer>;
  readonly abort: () => Promise<Answer>;
}

async function sendParts(key: string, parts: readonly Body[], encoding?: string): Promise<Upload> {
  const headers = encoding === undefined ? {} : { "content-encoding": encoding };
  const begun = await s3("POST", `${BUCKET}/${key}`, { query: "uploads", headers });
  expect(begun.status, begun.text).toBe(200);
  const upload = `uploadId=${encodeURIComponent(elementOf(begun.text, "UploadId") ?? "")}`;
  const list: string[] = [];
  for (const [index, body] of parts.entries()) {
    const query = `partNumber=${index + 1}&${upload}`;
    const sent = await s3("PUT", `${BUCKET}/${key}`, { query, body });
    expect(sent.status, sent.text).toBe(200);
    const etag = sent.headers.get("ETag");
    list.push(`<Part><PartNumber>${index + 1}</PartNumber><ETag>${etag}</ETag></Part>`);
  }
  const body = `<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`;
  return {
    complete: (headers = {}) => s3("POST", `${BUCKET}/${key}`, { query: upload, body, headers }),
    abort: () => s3("DELETE", `${BUCKET}/${key}`, { query: upload }),
  };
}

test.each([
  ...OBJECTS.filter(({ kind }) => kind !== "nar" && kind !== "narinfo"),
  { kind: "narinfo", key: path.key, body: path.text },
])("a $kind", async ({ key, body }) => {
  await cache.put(`/${path.narKey}`, path.nar);
  const { complete, abort } = await sendParts(key, [body]);
  expect((await cache.get(`/${key}`)).status).toBe(404);
  const done = await complete();
  expect([done.status, elementOf(done.text, "Key")], done.text).toEqual([200, key]);
  const head = await s3("HEAD", `${BUCKET}/${key}`);
  expect(elementOf(done.text, "ETag")?.replaceAll("&quot;", '"')).toBe(head.headers.get("ETag"));
  expect((await cache.get(`/${key}`)).status).toBe(200);
  // A client without an answer asks again.
  expect(await complete()).toEqual(done);
  expect((await abort()).status).toBe(204);
  expect((await keys()).filter((key) => key.startsWith("uploads/"))).toEqual([]);
});

test("a log of several parts, as it was encoded", async () => {
  const encoded = new Uint8Array(gzipSync(crypto.getRandomValues(new Uint8Array(65_536)).toHex().repeat(4)));
  const text = new Uint8Array(PART_BYTES + 1000).fill(97);
  expect(
    (await (await sendParts(LOG, [text.slice(0, PART_BYTES), text.slice(PART_BYTES)])).complete()).status,
  ).toBe(200);
  expect((await cache.get(`/${LOG}`)).bytes).toEqual(text);
  expect((await (await sendParts(LOG, [encoded], "gzip")).complete()).status).toBe(200);
  expect((await env.BUCKET.head(LOG))?.httpMetadata?.contentEncoding).toBe("gzip");
  expect((await s3("GET", `${BUCKET}/${LOG}`)).bytes).toEqual(encoded);
});

test("refused content is refused for the same reason when the client asks again, also after it aborts", async () => {
  for (const [key, body, expected] of [
    [LISTING, "no JSON", "400 InvalidRequest"],
    [path.key, "no narinfo", "400 InvalidRequest"],
    [path.narKey, "another NAR", "400 BadDigest"],
  ] as const) {
    const { complete, abort } = await sendParts(key, [body]);
    const refused = await complete();
    expect(codeOf(refused)).toBe(expected);
    expect(await complete()).toEqual(refused);
    expect((await abort()).status).toBe(204);
    expect(await complete()).toEqual(refused);
    expect(await keys()).toEqual([]);
  }
});

test("what may pass later is not final: a narinfo before its NAR", async () => {
  const { complete } = await sendParts(path.key, [path.text]);
  expect(codeOf(await complete())).toMatch(/^409/);
  await cache.put(`/${path.narKey}`, path.nar);
  expect((await complete()).status).toBe(200);
});

test("what was never begun has no abort, and what ended has one", async () => {
  const query = `uploadId=${crypto.randomUUID()}.x`;
  expect(codeOf(await s3("DELETE", `${BUCKET}/${LOG}`, { query }))).toBe("404 NoSuchUpload");
  const { complete, abort } = await sendParts(LOG, ["text"]);
  expect((await abort()).status).toBe(204);
  expect((await abort()).status).toBe(204);
  expect(codeOf(await complete())).toBe("404 NoSuchUpload");
});

test("a wrong checksum of a part is refused at once", async () => {
  const begun = await s3("POST", `${BUCKET}/${path.narKey}`, { query: "uploads" });
  const upload = `uploadId=${encodeURIComponent(elementOf(begun.text, "UploadId") ?? "")}`;
  const send = (headers: Record<string, string>) =>
    s3("PUT", `${BUCKET}/${path.narKey}`, { query: `partNumber=1&${upload}`, headers, body: "part" });
  for (const [header, bytes] of CHECKSUMS) {
    expect(codeOf(await send({ [header]: new Uint8Array(bytes).toBase64() })), header).toBe("400 BadDigest");
    expect(codeOf(await send({ [header]: "x" })), header).toBe("400 InvalidDigest");
  }
  expect((await s3("GET", `${BUCKET}/${path.narKey}`, { query: upload })).text).not.toContain("<Part>");
});

test("a wrong checksum of the whole is refused when the upload is completed", async () => {
  const right = new Uint8Array(await crypto.subtle.digest("SHA-256", bytesOf("text"))).toBase64();
  const wrong = new Uint8Array(32).toBase64();
  for (const [headers, expected] of [
    [{ "x-amz-checksum-sha256": right }, "200"],
    [{ "x-amz-checksum-type": "FULL_OBJECT", "x-amz-checksum-crc32": "AAAAAA==" }, "400 BadDigest"],
    [{ "x-amz-checksum-sha256": wrong }, "400 BadDigest"],
    // Of the checksums of the parts.
    [{ "x-amz-checksum-type": "COMPOSITE", "x-amz-checksum-sha256": wrong }, "200"],
    [{ "x-amz-checksum-sha256": `${wrong}-1` }, "200"],
  ] as const) {
    const { complete } = await sendParts(LOG, ["text"]);
    const done = await complete(headers);
    expect(codeOf(done), JSON.stringify(headers)).toBe(expected);
    expect(await complete()).toEqual(done);
  }
});

test("a single PUT with another hash than its name's is BadDigest", async () => {
  expect(codeOf(await s3("PUT", `${BUCKET}/${path.narKey}`, { body: "another" }))).toBe("400 BadDigest");
});
