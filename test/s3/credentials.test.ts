/** Requests with an S3 signature, end to end: the third form of credential. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { presigned, type SigningOptions, sha256, signed, type Unsigned } from "../auth/sigv4/signer.ts";
import { encode } from "../http/aws-chunked-encoder.ts";
import {
  ADMIN_TOKEN,
  type Answer,
  cacheWith,
  keys,
  PULL_TOKEN,
  PUSH_TOKEN,
  read,
  type TestCache,
} from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { testPath } from "../support/store-paths.ts";
import { begin, elementOf, listed } from "../support/upload.ts";

afterEach(reset);
captureLog();

const HOST = "cache.example.org";
const cache = cacheWith({ PULL_TOKEN, ADMIN_TOKEN });
const path = await testPath();
const PUSHER: SigningOptions = { time: Date.now(), accessKey: "push", secret: PUSH_TOKEN };

const put = (more: Partial<Unsigned> = {}): Unsigned => ({
  method: "PUT",
  host: HOST,
  path: `/nix-cache/${path.narKey}`,
  headers: { "content-length": String(path.nar.length) },
  body: path.nar,
  ...more,
});

/** The NAR in aws-chunked form, with a checksum at its end. */
const chunked = () => encode(path.nar, { sizes: [8], trailers: ["x-amz-checksum-crc32"] });

const putChunked = (body: ReturnType<typeof chunked>): Unsigned =>
  put({
    payloadHash: "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    body,
    headers: {
      "content-encoding": "aws-chunked",
      "content-length": String(body.length),
      "x-amz-decoded-content-length": String(path.nar.length),
      "x-amz-trailer": "x-amz-checksum-crc32",
    },
  });

async function send(on: TestCache, request: Request): Promise<Answer> {
  const url = new URL(request.url);
  const { method, headers } = request;
  const body = request.body === null ? {} : { body: await request.bytes() };
  return on.fetch(url.pathname + url.search, { method, headers, ...body });
}

async function code(request: Request, on = cache): Promise<string> {
  const { status, text } = await send(on, request);
  return `${status} ${elementOf(text, "Code") ?? ""}`.trim();
}

describe("a NAR and its narinfo", () => {
  test.each([
    ["unsigned payload", {}],
    ["the payload's hash", { payloadHash: sha256(path.nar) }],
  ])("%s", async (_, more) => {
    expect(await code(signed(put(more), PUSHER))).toBe("200");
    const narinfo = put({
      path: `/nix-cache/${path.key}`,
      body: path.text,
      headers: { "content-length": String(path.text.length) },
      payloadHash: sha256(path.text),
    });
    expect(await code(signed(narinfo, PUSHER))).toBe("200");
    expect(
      (await send(cache, signed({ method: "GET", host: HOST, path: `/${path.key}` }, PUSHER))).text,
    ).toBe(path.text);
  });

  test("and the answer has no body, which the AWS CLI would take for XML", async () => {
    const first = await send(cache, signed(put(), PUSHER));
    const again = await send(cache, signed(put(), PUSHER));
    expect([first.status, first.text, again.status, again.text]).toEqual([200, "", 200, ""]);
    expect(first.headers.get("ETag")).toBe(again.headers.get("ETag"));
    expect(first.headers.get("ETag")).toMatch(/^"[0-9a-f]{32}"$/);
  });

  test("by a pre-signed URL", async () => {
    expect(await code(presigned(put(), { ...PUSHER, expires: 60 }))).toBe("200");
    const { url } = presigned(
      { method: "GET", host: HOST, path: `/${path.narKey}` },
      { ...PUSHER, expires: 60 },
    );
    const { pathname, search } = new URL(url);
    expect((await cache.get(pathname + search)).bytes).toEqual(path.nar);
  });

  test("in aws-chunked form, with a checksum at its end", async () => {
    expect(await code(signed(putChunked(chunked()), PUSHER))).toBe("200");
  });
});

describe("may do what its token may", () => {
  const upload = (accessKey: string, secret: string) => code(signed(put(), { ...PUSHER, accessKey, secret }));
  const download = (accessKey: string, secret: string) =>
    code(signed({ method: "GET", host: HOST, path: "/nix-cache-info" }, { ...PUSHER, accessKey, secret }));

  test("pull, push and admin", async () => {
    expect(await upload("pull", PULL_TOKEN)).toBe("403 AccessDenied");
    expect(await upload("push", PUSH_TOKEN)).toBe("200");
    expect(await upload("admin", ADMIN_TOKEN)).toBe("200");
    expect(await download("pull", PULL_TOKEN)).toBe("200");
    expect(await download("push", PUSH_TOKEN)).toBe("200");
  });

  test("of an access key that has no token, or that there is not", async () => {
    const without = cacheWith({ PULL_TOKEN });
    const by = (accessKey: string, secret: string) =>
      code(signed(put(), { ...PUSHER, accessKey, secret }), without);
    expect(await by("admin", "")).toBe("403 InvalidAccessKeyId");
    expect(await by("admin", "undefined")).toBe("403 InvalidAccessKeyId");
    expect(await by("toString", "x")).toBe("403 SignatureDoesNotMatch");
  });

  test("of a login in a netrc, which curl takes for the access key", async () => {
    expect(await upload("nix", PULL_TOKEN)).toBe("403 AccessDenied");
    expect(await upload("nix", PUSH_TOKEN)).toBe("200");
    expect(await upload("nix", ADMIN_TOKEN)).toBe("200");
    expect(await upload("nix", "wrong")).toBe("403 SignatureDoesNotMatch");
    expect(await upload("nix", "")).toBe("403 SignatureDoesNotMatch");
    // The name of one is not the access key of another.
    expect(await upload("pull", PUSH_TOKEN)).toBe("403 SignatureDoesNotMatch");
  });
});

describe("refused, with nothing stored", () => {
  afterEach(async () => {
    expect(await keys()).toEqual([]);
  });

  test("the secret of another", async () => {
    expect(await code(signed(put(), { ...PUSHER, secret: PULL_TOKEN }))).toBe("403 SignatureDoesNotMatch");
  });

  test.each([
    ["old", -16],
    ["early", 16],
  ])("a date that is too %s", async (_, minutes) => {
    const time = Date.now() + minutes * 60_000;
    expect(await code(signed(put(), { ...PUSHER, time }))).toBe("403 RequestTimeTooSkewed");
  });

  test("an expired URL", async () => {
    const request = presigned(put(), { ...PUSHER, time: Date.now() - 61_000, expires: 60 });
    expect(await code(request)).toBe("403 AccessDenied");
  });

  test("a signature for another path", async () => {
    const request = signed(put(), PUSHER);
    const other = await testPath("other");
    const moved = new Request(request.url.replace(path.narKey, other.narKey), request);
    expect(await code(moved)).toBe("403 SignatureDoesNotMatch");
  });

  test("another body than the signed one", async () => {
    const request = signed(put({ payloadHash: sha256("other") }), PUSHER);
    expect(await code(request)).toBe("400 XAmzContentSHA256Mismatch");
    const log = put({ path: "/log/4crvrnhdg1r8sqc1hblbviqj0iqdajdv-demo.drv", payloadHash: sha256("other") });
    expect(await code(signed(log, PUSHER))).toBe("400 XAmzContentSHA256Mismatch");
  });

  test("a body whose checksum is another", async () => {
    const body = chunked();
    // One byte of the first chunk, which "8" and a line end precede.
    body.set([body[3] === 0 ? 1 : 0], 3);
    expect((await code(signed(putChunked(body), PUSHER))).slice(0, 3)).toBe("400");
  });

  test("a replayed part with another body", async () => {
    const uploadId = await begin(cache, path.narKey);
    const part = signed(
      put({
        payloadHash: sha256(path.nar),
        query: [
          ["partNumber", "1"],
          ["uploadId", uploadId],
        ],
      }),
      PUSHER,
    );
    const forged = new Request(part.url, {
      method: "PUT",
      headers: part.headers,
      body: path.nar.toReversed(),
    });
    expect(await code(forged)).toBe("400 XAmzContentSHA256Mismatch");
    expect(elementOf((await listed(cache, path.narKey, uploadId)).text, "Part")).toBeUndefined();
    expect(await code(part)).toBe("200");
  });

  test("a copy within the cache, for which rclone asks to change a date", async () => {
    const headers = { "x-amz-copy-source": `/nix-cache/${path.narKey}`, "content-length": "0" };
    const { body: _, ...request } = put({ headers });
    expect(await code(signed(request, PUSHER))).toBe("501 NotImplemented");
  });
});

test("refusals are S3's documents for S3's clients and lines of text for others", async () => {
  const { status, text, headers } = await send(
    cache,
    signed({ method: "GET", host: HOST, path: "/nix-cache/nar/none" }, PUSHER),
  );
  expect([status, headers.get("Content-Type")]).toEqual([404, "application/xml"]);
  expect([elementOf(text, "Code"), elementOf(text, "Resource")]).toEqual(["NoSuchKey", "/nar/none"]);
  const plain = await cache.get("/nix-cache/nar/none", { Authorization: `Bearer ${PUSH_TOKEN}` });
  expect([plain.status, plain.text]).toEqual([404, "no such nar in this cache\n"]);
  expect(await read(new Response("x"))).toMatchObject({ text: "x" });
});
