/** Conditional writes (RFC 9110, 13.1): a write whose condition does not hold is 412 and changes nothing. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, test } from "vitest";
import { watch } from "../support/bucket.ts";
import { type Answer, cacheWith, contents, keys, store } from "../support/cache.ts";
import { OBJECTS, REALISATIONS, withSignatures } from "../support/objects.ts";
import { BUCKET, codeOf, s3Client } from "../support/s3.ts";
import { bytesOf, push, testPath } from "../support/store-paths.ts";
import { elementOf, sendAll } from "../support/upload.ts";

afterEach(reset);

const cache = cacheWith();
const s3 = s3Client(cache);
const path = await testPath();
const WRONG = '"00000000000000000000000000000000"';
const PAST = "Mon, 07 Nov 1994 08:49:37 GMT";

interface Example {
  readonly kind: string;
  readonly key: string;
  readonly body: string | Uint8Array<ArrayBuffer>;
  readonly prepare?: () => Promise<unknown>;
}

const EXAMPLES: readonly Example[] = [
  { kind: "nar", key: path.narKey, body: path.nar },
  { kind: "narinfo", key: path.key, body: path.text, prepare: () => cache.put(`/${path.narKey}`, path.nar) },
  ...OBJECTS.filter(({ kind }) => kind !== "nar" && kind !== "narinfo"),
];

type Write = (example: Example, headers: Record<string, string>) => Promise<Answer>;

const CLIENTS: readonly (readonly [string, Write])[] = [
  ["with a signature", ({ key, body }, headers) => s3("PUT", `${BUCKET}/${key}`, { body, headers })],
  ["with a token", ({ key, body }, headers) => cache.put(`/${key}`, body, headers)],
  [
    "in parts",
    async ({ key, body }, headers) => {
      const bytes = typeof body === "string" ? bytesOf(body) : body;
      const { uploadId, tags } = await sendAll(cache, { key, parts: [bytes] });
      const parts = tags.map(
        ([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`,
      );
      return s3("POST", `${BUCKET}/${key}`, {
        query: `uploadId=${encodeURIComponent(uploadId)}`,
        headers,
        body: `<CompleteMultipartUpload>${parts.join("")}</CompleteMultipartUpload>`,
      });
    },
  ],
];

describe.each(CLIENTS)("%s", (name, write) => {
  const created = name === "with a token" ? 201 : 200;

  test.each(EXAMPLES)("a $kind", async (example) => {
    const { key, prepare } = example;
    await prepare?.();
    const empty = await contents();
    for (const headers of [{ "if-match": "*" }, { "if-match": WRONG }]) {
      expect(codeOrStatus(await write(example, headers)), JSON.stringify(headers)).toBe(412);
    }
    expect(await withoutStaging()).toEqual(withoutStagingOf(empty));
    expect((await write(example, { "if-none-match": "*" })).status).toBe(created);
    const after = await withoutStaging();
    for (const headers of [
      { "if-none-match": "*" },
      { "if-match": WRONG },
      { "if-match": "W/x" },
      {
        "if-none-match": `${WRONG}, *`
          .replace(", *", "")
          .concat(`, ${(await env.BUCKET.head(key))?.httpEtag}`),
      },
      { "if-unmodified-since": PAST },
    ]) {
      expect(codeOrStatus(await write(example, headers)), JSON.stringify(headers)).toBe(412);
    }
    expect(await withoutStaging()).toEqual(after);
    const s3Tag = (await s3("HEAD", `${BUCKET}/${key}`)).headers.get("ETag") ?? "";
    const plainTag = (await cache.head(`/${key}`)).headers.get("ETag") ?? "";
    for (const etag of new Set([s3Tag, plainTag, `${WRONG}, ${s3Tag}`, "*"])) {
      expect((await write(example, { "if-match": etag })).status, etag).toBeLessThan(300);
    }
    expect((await write(example, { "if-none-match": WRONG })).status).toBeLessThan(300);
  });
});

function codeOrStatus(answer: Answer): number {
  if (answer.headers.get("Content-Type") === "application/xml") {
    expect(codeOf(answer)).toBe("412 PreconditionFailed");
  }
  return answer.status;
}

function withoutStagingOf(all: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(all).filter(([key]) => !key.startsWith("uploads/")));
}

async function withoutStaging(): Promise<Record<string, string>> {
  return withoutStagingOf(await contents());
}

test("of nix-cache-info, which is always here", async () => {
  const put = (headers: Record<string, string>) =>
    cache.put("/nix-cache-info", "StoreDir: /nix/store\n", headers);
  expect((await put({ "if-none-match": "*" })).status).toBe(412);
  expect((await put({ "if-match": WRONG })).status).toBe(412);
  expect((await put({ "if-match": "*" })).status).toBe(200);
});

test("what is in the bucket and not indexed counts", async () => {
  await cache.put(`/${path.narKey}`, path.nar);
  const { httpEtag } = await store(path.key, path.text);
  expect((await cache.put(`/${path.key}`, path.text, { "If-None-Match": "*" })).status).toBe(412);
  expect((await cache.put(`/${path.key}`, path.text, { "If-Match": WRONG })).status).toBe(412);
  expect((await cache.put(`/${path.key}`, path.text, { "If-Match": httpEtag })).status).toBe(200);
  for (const { key, body } of REALISATIONS) {
    const etag = (await store(key, body)).httpEtag;
    expect((await cache.put(`/${key}`, body, { "If-None-Match": "*" })).status).toBe(412);
    expect((await cache.put(`/${key}`, body, { "If-Match": WRONG })).status).toBe(412);
    const more = withSignatures(body, `a-1:${new Uint8Array(64).toBase64()}`);
    expect((await cache.put(`/${key}`, more, { "If-Match": etag })).status).toBe(200);
  }
});

test("of those who create it at once, one succeeds", async () => {
  for (const { key, body } of OBJECTS.filter(({ kind }) => kind === "log" || kind === "listing")) {
    const bodies = [body, `${body} `, `${body}  `];
    const answers = await Promise.all(
      bodies.map((text) => cache.put(`/${key}`, text, { "If-None-Match": "*" })),
    );
    expect(answers.map(({ status }) => status).sort(), key).toEqual([201, 412, 412]);
  }
});

test.each([
  ["a log", OBJECTS.find(({ kind }) => kind === "log")?.key ?? "", "text"],
  ["a NAR", path.narKey, path.nar],
] as const)("%s that appears after the condition was decided is not overwritten", async (_, key, body) => {
  let raced = false;
  const { bucket } = watch(env.BUCKET, {
    before: async ({ name }) => {
      if (name !== "put" || raced) return;
      raced = true;
      await env.BUCKET.put(key, "another's");
    },
  });
  const answer = await cacheWith({ BUCKET: bucket }).put(`/${key}`, body, { "If-None-Match": "*" });
  expect(answer.status).toBe(412);
  expect(await contents()).toEqual({ [key]: "another's" });
});

test("a completion whose condition does not hold can be repeated without it", async () => {
  await push(cache, path);
  const { uploadId, tags } = await sendAll(cache, { key: path.narKey, parts: [path.nar] });
  const complete = (headers: Record<string, string>) =>
    s3("POST", `${BUCKET}/${path.narKey}`, {
      query: `uploadId=${encodeURIComponent(uploadId)}`,
      headers,
      body: `<CompleteMultipartUpload>${tags
        .map(([number, etag]) => `<Part><PartNumber>${number}</PartNumber><ETag>${etag}</ETag></Part>`)
        .join("")}</CompleteMultipartUpload>`,
    });
  expect(codeOf(await complete({ "if-none-match": "*" }))).toBe("412 PreconditionFailed");
  const done = await complete({});
  expect([done.status, elementOf(done.text, "Key")]).toEqual([200, path.narKey]);
  expect(await keys()).toEqual([path.key, path.narKey].sort());
});
