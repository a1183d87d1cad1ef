/** The body of a request that is signed in S3's way: unwrapped, and held against what was signed. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { verifiedRequest } from "../../../src/auth/sigv4/body.ts";
import type { Payload } from "../../../src/auth/sigv4/payload.ts";
import { S3Error } from "../../../src/http/s3-error.ts";
import { encode, text } from "../../http/aws-chunked-encoder.ts";
import { sha256 } from "./signer.ts";

const CONTENT = text("hello ".repeat(100_000));
const EMPTY: Payload = { form: "sha256", sha256: sha256("") };
const SIGNED: Payload = { form: "sha256", sha256: sha256(CONTENT) };
const STREAMING: Payload = { form: "streaming", trailer: true, signing: undefined };

function put(body: Uint8Array | null, headers: Readonly<Record<string, string>> = {}): Request {
  const length = { "Content-Length": String(body?.byteLength ?? 0) };
  return new Request("https://a/b?c", { method: "PUT", headers: { ...length, ...headers }, body });
}

describe("the body of a signed request", () => {
  test("with a hash that the bucket checks: as it is", () => {
    const request = put(CONTENT);
    expect(verifiedRequest(request, SIGNED, sha256(CONTENT)).request).toBe(request);
    expect(verifiedRequest(request, SIGNED, sha256("other")).request).not.toBe(request);
  });

  test("a copy within the bucket is not taken for an empty upload", () => {
    const request = put(null, { "x-amz-copy-source": "/nix-cache/a" });
    expect(() => verifiedRequest(request, EMPTY, undefined)).toThrow(
      expect.objectContaining({ status: 501, code: "NotImplemented" }),
    );
  });

  test("unsigned: as it is", () => {
    const request = put(CONTENT);
    expect(verifiedRequest(request, { form: "unsigned" }, undefined).request).toBe(request);
  });

  test("none, signed as none", () => {
    const request = new Request("https://a/b");
    expect(verifiedRequest(request, EMPTY, undefined).request).toBe(request);
  });

  test("with the hash that was signed", async () => {
    const { request, failure } = verifiedRequest(put(CONTENT), SIGNED, undefined);
    await env.BUCKET.put("signed", request.body);
    expect((await env.BUCKET.head("signed"))?.size).toBe(CONTENT.byteLength);
    expect(failure()).toBeUndefined();
  });

  test("aws-chunked: unwrapped, and its headers with it", async () => {
    const trailers = ["x-amz-checksum-crc64nvme"];
    const sent = put(encode(CONTENT, { sizes: [65_536], trailers }), {
      "Content-Encoding": "aws-chunked, zstd",
      "x-amz-decoded-content-length": String(CONTENT.byteLength),
      "x-amz-trailer": trailers.join(),
    });
    const { request } = verifiedRequest(sent, STREAMING, undefined);
    expect(request.method).toBe("PUT");
    expect(request.url).toBe("https://a/b?c");
    expect(request.headers.get("Content-Length")).toBe(String(CONTENT.byteLength));
    expect(request.headers.get("Content-Encoding")).toBe("zstd");
    await env.BUCKET.put("unwrapped", request.body);
    expect(await (await env.BUCKET.get("unwrapped"))?.bytes()).toEqual(CONTENT);
  });

  test.each<[string, Request, Payload, string]>([
    [
      "another body",
      put(CONTENT.map((byte, at) => (at === 300_000 ? 0 : byte))),
      SIGNED,
      "XAmzContentSHA256Mismatch",
    ],
    ["a body where none was signed", put(CONTENT), EMPTY, "XAmzContentSHA256Mismatch"],
    ["a shorter body", put(CONTENT.subarray(1), { "Content-Length": "600000" }), SIGNED, "IncompleteBody"],
    ["a longer body", put(CONTENT, { "Content-Length": "599999" }), SIGNED, "IncompleteBody"],
    [
      "a chunked body that is none",
      put(CONTENT, { "x-amz-decoded-content-length": "600000" }),
      STREAMING,
      "InvalidRequest",
    ],
  ])("%s: nothing is stored", async (name, sent, payload, code) => {
    const { request, failure } = verifiedRequest(sent, payload, undefined);
    await expect(env.BUCKET.put(name, request.body)).rejects.toThrow();
    expect(failure()).toMatchObject({ code });
    expect(await env.BUCKET.head(name)).toBeNull();
  });

  test.each<[string, Request, Payload, string]>([
    ["no body", put(null), SIGNED, "IncompleteBody"],
    ["no chunks", put(null), STREAMING, "IncompleteBody"],
    ["chunks of unknown length", put(CONTENT), STREAMING, "MissingContentLength"],
    [
      "a body of unknown length",
      new Request("https://a/b", { method: "PUT", body: new Response("a").body }),
      SIGNED,
      "MissingContentLength",
    ],
  ])("%s: refused before it is read", (_, request, payload, code) => {
    const verified = () => verifiedRequest(request, payload, undefined);
    expect(verified).toThrow(S3Error);
    expect(verified).toThrow(expect.objectContaining({ code }));
  });
});
