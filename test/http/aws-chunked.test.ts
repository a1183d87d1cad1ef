/** Bodies in aws-chunked form: what was sent comes out, in whatever pieces it arrives. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { awsChunked, awsChunkedOptions, withoutAwsChunked } from "../../src/http/aws-chunked.ts";
import { AwsChunkedDecoder } from "../../src/http/aws-chunked-decoder.ts";
import { S3Error } from "../../src/http/s3-error.ts";
import { CONTENT, SECRETS, streamingRequest, TIME } from "../auth/sigv4/examples.ts";
import { verifySigV4 } from "../auth/sigv4/signer.ts";
import { concat, encode, SIGNING, text } from "./aws-chunked-encoder.ts";

const CRC32 = "x-amz-checksum-crc32";
const ALL = ["crc32", "crc32c", "crc64nvme", "sha1", "sha256"].map((name) => `x-amz-checksum-${name}`);

async function bytesOf(body: ReadableStream): Promise<Uint8Array> {
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** A stream made in JavaScript, in pieces. */
function streamOf(...pieces: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

describe("examples of the S3 documentation", () => {
  test.each([
    ["chunks", false],
    ["chunks and a trailer", true],
  ])("%s", async (_, trailer) => {
    const request = streamingRequest(trailer);
    const outcome = await verifySigV4(request, SECRETS, TIME);
    if (!outcome.ok || outcome.payload.form !== "streaming" || !request.body) throw new Error("not verified");
    const options = awsChunkedOptions(request.headers, outcome.payload);
    expect(await bytesOf(awsChunked(request.body, options).body)).toEqual(CONTENT);
  });
});

describe("any content in any chunks comes out, in whatever pieces it comes in", () => {
  const arbitrary = fc.record({
    content: fc.uint8Array({ maxLength: 300 }),
    sizes: fc.array(fc.integer({ min: 1, max: 80 }), { minLength: 1, maxLength: 5 }),
    signing: fc.constantFrom(undefined, SIGNING),
    trailers: fc.subarray(ALL),
    cuts: fc.array(fc.nat(1500), { maxLength: 12 }),
  });

  test("decoded", () => {
    fc.assert(
      fc.property(arbitrary, ({ content, sizes, signing, trailers, cuts }) => {
        const body = encode(content, { sizes, signing, trailers });
        const decoder = new AwsChunkedDecoder({ decodedLength: content.byteLength, signing, trailers });
        const ends = [...cuts, body.byteLength].sort((a, b) => a - b);
        const decoded = ends.flatMap((end, index) => decoder.push(body.subarray(ends[index - 1] ?? 0, end)));
        decoder.end();
        expect(concat(decoded)).toEqual(content);
      }),
      { numRuns: 300 },
    );
  });

  test("without a copy", () => {
    const body = encode(new Uint8Array(100), { sizes: [40] });
    const decoded = new AwsChunkedDecoder({ decodedLength: 100, signing: undefined, trailers: [] }).push(
      body,
    );
    expect(decoded.map((data) => data.byteLength)).toEqual([40, 40, 20]);
    expect(decoded.every((data) => data.buffer === body.buffer)).toBe(true);
  });

  test.each([
    ["signed chunks of more than 1 MiB", [1_500_000], SIGNING],
    ["many small chunks", [8192], SIGNING],
    ["unsigned chunks", [65_536], undefined],
    ["one chunk", [3_000_000], undefined],
  ])("streamed: %s", async (_, sizes, signing) => {
    const content = crypto.getRandomValues(new Uint8Array(65_536));
    const whole = concat(Array.from({ length: 40 }, () => content));
    const trailers = ALL;
    const body = encode(whole, { sizes, signing, trailers });
    const options = { decodedLength: whole.byteLength, signing, trailers };
    const request = new Request("https://a/b", { method: "PUT", body });
    for (const stream of [
      request.body,
      streamOf(body),
      streamOf(body.subarray(0, 1000), body.subarray(1000)),
    ]) {
      if (stream === null) throw new Error("no body");
      const decoded = await bytesOf(awsChunked(stream, options).body);
      expect(Buffer.compare(decoded, whole)).toBe(0);
    }
  });

  test("R2 takes it: its length is known", async () => {
    const content = text("hello".repeat(100_000));
    const trailers = [CRC32];
    const options = { decodedLength: content.byteLength, signing: SIGNING, trailers };
    const body = streamOf(encode(content, { sizes: [70_000], signing: SIGNING, trailers }));
    await env.BUCKET.put("chunked", awsChunked(body, options).body);
    expect(await (await env.BUCKET.get("chunked"))?.bytes()).toEqual(content);
  });

  test("nothing at all", async () => {
    const options = { decodedLength: 0, signing: SIGNING, trailers: [] };
    const body = encode(new Uint8Array(), { sizes: [1], signing: SIGNING });
    expect(await bytesOf(awsChunked(streamOf(body), options).body)).toEqual(new Uint8Array());
  });
});

describe("what the headers say", () => {
  const LENGTH = { "x-amz-decoded-content-length": "12" };
  const unsigned = { trailer: true, signing: undefined };

  test.each<[Record<string, string>, readonly string[]]>([
    [LENGTH, []],
    [{ ...LENGTH, "x-amz-trailer": "x-amz-checksum-crc32" }, [CRC32]],
    [
      { ...LENGTH, "x-amz-trailer": " X-Amz-Checksum-CRC32 , x-amz-checksum-sha1" },
      [CRC32, "x-amz-checksum-sha1"],
    ],
  ])("%j", (headers, trailers) => {
    expect(awsChunkedOptions(new Headers(headers), unsigned)).toEqual({
      decodedLength: 12,
      signing: undefined,
      trailers,
    });
  });

  test.each<[Record<string, string>, boolean, string]>([
    [{}, true, "MissingContentLength"],
    [{ "x-amz-decoded-content-length": "" }, true, "InvalidArgument"],
    [{ "x-amz-decoded-content-length": "-1" }, true, "InvalidArgument"],
    [{ "x-amz-decoded-content-length": "1e3" }, true, "InvalidArgument"],
    [{ ...LENGTH, "x-amz-trailer": CRC32 }, false, "InvalidRequest"],
  ])("%j with a trailer %j is refused", (headers, trailer, code) => {
    const options = () => awsChunkedOptions(new Headers(headers), { trailer, signing: undefined });
    expect(options).toThrow(S3Error);
    expect(options).toThrow(expect.objectContaining({ code }));
  });

  test("a trailer without a known checksum is refused", () => {
    const decoder = () =>
      new AwsChunkedDecoder({ decodedLength: 1, signing: undefined, trailers: ["x-amz-meta-a"] });
    expect(decoder).toThrow(expect.objectContaining({ code: "InvalidRequest" }));
  });

  test.each([
    [null, null],
    ["", null],
    ["aws-chunked", null],
    ["AWS-Chunked", null],
    ["aws-chunked,gzip", "gzip"],
    ["br , aws-chunked", "br"],
    ["zstd", "zstd"],
  ])("Content-Encoding %j without the framing is %j", (header, rest) => {
    expect(withoutAwsChunked(header)).toBe(rest);
  });
});
