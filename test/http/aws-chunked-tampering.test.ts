/** Bodies in aws-chunked form that are damaged or were changed are refused. */
import { env } from "cloudflare:workers";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { awsChunked } from "../../src/http/aws-chunked.ts";
import { AwsChunkedDecoder, type AwsChunkedOptions } from "../../src/http/aws-chunked-decoder.ts";
import { S3Error } from "../../src/http/s3-error.ts";
import { checksum, concat, encode, encodeParts, SIGNING, text } from "./aws-chunked-encoder.ts";

const CRC32 = "x-amz-checksum-crc32";
const CONTENT = text("The quick brown fox jumps over the lazy dog");
const CRC_LINE = `${CRC32}:${checksum(CRC32, CONTENT)}`;
const UNSIGNED = { decodedLength: CONTENT.byteLength, signing: undefined, trailers: [CRC32] };
const SIGNED = { ...UNSIGNED, signing: SIGNING };

function decode(body: Uint8Array, options: AwsChunkedOptions): Uint8Array {
  const decoder = new AwsChunkedDecoder(options);
  const content = decoder.push(body);
  decoder.end();
  return concat(content);
}

/** `ok`, or the code of the refusal; anything else that is thrown fails the test. */
function outcome(body: Uint8Array, options: AwsChunkedOptions): string {
  try {
    decode(body, options);
    return "ok";
  } catch (error) {
    if (error instanceof S3Error) return error.code;
    throw error;
  }
}

const one = `2b\r\n${new TextDecoder().decode(CONTENT)}\r\n`;

describe("an unsigned body", () => {
  test.each<[string, string, string]>([
    ["whole", `${one}0\r\n${CRC_LINE}\r\n\r\n`, "ok"],
    ["as minio-go ends it", `${one}0\r\n${CRC_LINE}\n\r\n\r\n`, "ok"],
    ["with an empty line before the trailer", `${one}0\r\n\r\n${CRC_LINE}\r\n\r\n`, "ok"],
    ["with blanks in the trailer", `${one}0\r\n${CRC_LINE.replace(":", " : ")}\r\n\r\n`, "ok"],
    ["with a name in upper case", `${one}0\r\n${CRC_LINE.replace("x-amz", "X-Amz")}\r\n\r\n`, "ok"],
    ["without its last line ends", `${one}0\r\n${CRC_LINE}`, "ok"],
    ["with another extension", `${one.replace("2b", "2B;a=b")}0;a\r\n${CRC_LINE}\r\n\r\n`, "ok"],
    ["with zeros before the size", `000${one}000\r\n${CRC_LINE}\r\n\r\n`, "ok"],
    ["empty", "", "IncompleteBody"],
    ["without the chunk of size 0", one, "IncompleteBody"],
    ["without content", `0\r\n${CRC_LINE}\r\n\r\n`, "IncompleteBody"],
    ["with a chunk too few", `1\r\nT\r\n0\r\n${CRC_LINE}\r\n\r\n`, "IncompleteBody"],
    ["with a chunk too many", `${one}1\r\na\r\n0\r\n${CRC_LINE}\r\n\r\n`, "IncompleteBody"],
    ["with a chunk that is cut", one.slice(0, 20), "IncompleteBody"],
    ["with a huge chunk", "ffffffffffff\r\n", "IncompleteBody"],
    ["with a size that is none", `x${one}`, "InvalidRequest"],
    ["with a negative size", `-${one}`, "InvalidRequest"],
    ["with a size of 13 digits", `0000000000000\r\n\r\n`, "InvalidRequest"],
    ["with an empty line for a header", `\r\n${one}`, "InvalidRequest"],
    ["with a chunk longer than it says", one.replace("dog", "dogs"), "InvalidRequest"],
    ["with a chunk that ends in LF only", `${one.slice(0, -2)}\n0\r\n${CRC_LINE}\r\n\r\n`, "InvalidRequest"],
    ["with a long header", `2b;${"a".repeat(4096)}`, "InvalidRequest"],
    ["with a long trailer", `${one}0\r\n${"\r\n".repeat(4097)}`, "InvalidRequest"],
    ["without the trailer", `${one}0\r\n\r\n`, "MalformedTrailerError"],
    ["with another trailer", `${one}0\r\nx-amz-checksum-sha1:AAAA\r\n\r\n`, "MalformedTrailerError"],
    ["with a trailer more", `${one}0\r\n${CRC_LINE}\r\nx-amz-meta-a:b\r\n\r\n`, "MalformedTrailerError"],
    ["with the trailer twice", `${one}0\r\n${CRC_LINE}\r\n${CRC_LINE}\r\n\r\n`, "MalformedTrailerError"],
    ["with something behind", `${one}0\r\n${CRC_LINE}\r\n\r\nGET / HTTP/1.1\r\n`, "MalformedTrailerError"],
    ["with a trailer without a value", `${one}0\r\n${CRC32}:\r\n\r\n`, "MalformedTrailerError"],
    ["with another checksum", `${one}0\r\n${CRC32}:AAAAAA==\r\n\r\n`, "BadDigest"],
    ["with another content", `${one.replace("fox", "dog")}0\r\n${CRC_LINE}\r\n\r\n`, "BadDigest"],
  ])("%s", (_, body, expected) => {
    expect(outcome(text(body), UNSIGNED)).toBe(expected);
  });

  test("a trailer that was not announced", () => {
    expect(outcome(text(`${one}0\r\n${CRC_LINE}\r\n\r\n`), { ...UNSIGNED, trailers: [] })).toBe(
      "MalformedTrailerError",
    );
  });
});

describe("a signed body", () => {
  const parts = encodeParts(CONTENT, { sizes: [20, 20, 3], signing: SIGNING, trailers: [CRC32] });
  const body = concat(parts);
  const [first, second, third, last, trailer] = parts as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const changed = (from: string | RegExp, to: string) =>
    text(new TextDecoder().decode(body).replace(from, to));
  const signature = /;chunk-signature=[0-9a-f]{64}/;

  test.each<[string, Uint8Array, string]>([
    ["whole", body, "ok"],
    ["with another content", changed("fox", "dog"), "SignatureDoesNotMatch"],
    [
      "with another chunk signature",
      changed(signature, `;chunk-signature=${"0".repeat(64)}`),
      "SignatureDoesNotMatch",
    ],
    ["with a short chunk signature", changed(signature, ";chunk-signature=00"), "SignatureDoesNotMatch"],
    ["without a chunk signature", changed(signature, ""), "SignatureDoesNotMatch"],
    ["with chunks in another order", concat([second, first, third, last, trailer]), "SignatureDoesNotMatch"],
    ["with a chunk repeated", concat([first, first, third, last, trailer]), "SignatureDoesNotMatch"],
    ["with a chunk left out", concat([first, third, last, trailer]), "SignatureDoesNotMatch"],
    ["with another trailer signature", changed(/(signature:)[0-9a-f]{4}/, "$10000"), "SignatureDoesNotMatch"],
    ["without the trailer signature", changed(/x-amz-trailer-signature.*/, ""), "SignatureDoesNotMatch"],
    ["without the trailer", concat([first, second, third, last, text("\r\n")]), "MalformedTrailerError"],
    ["unsigned", encode(CONTENT, { sizes: [20], trailers: [CRC32] }), "SignatureDoesNotMatch"],
    [
      "signed by another key",
      encode(CONTENT, {
        sizes: [20],
        signing: { ...SIGNING, signingKey: new ArrayBuffer(32) },
        trailers: [CRC32],
      }),
      "SignatureDoesNotMatch",
    ],
    [
      "of another request",
      encode(CONTENT, {
        sizes: [20],
        signing: { ...SIGNING, seedSignature: "6".repeat(64) },
        trailers: [CRC32],
      }),
      "SignatureDoesNotMatch",
    ],
  ])("%s", (_, body, expected) => {
    expect(outcome(body, SIGNED)).toBe(expected);
  });

  test("the last chunk, of size 0, is signed as well", () => {
    const options = { ...SIGNED, trailers: [] };
    const chunks = encodeParts(CONTENT, { sizes: [43], signing: SIGNING });
    expect(outcome(concat(chunks), options)).toBe("ok");
    const [chunk = new Uint8Array()] = chunks;
    expect(outcome(concat([chunk, text("0\r\n\r\n")]), options)).toBe("SignatureDoesNotMatch");
  });

  test("with any bit changed it is refused, or the content is the same", () => {
    fc.assert(
      fc.property(fc.nat(body.byteLength - 1), fc.nat(7), (at, bit) => {
        const copy = body.slice();
        copy[at] = (copy[at] ?? 0) ^ (1 << bit);
        if (outcome(copy, SIGNED) === "ok") expect(decode(copy, SIGNED)).toEqual(CONTENT);
      }),
      { numRuns: 1000 },
    );
  });

  test("cut anywhere before its last line end it is refused", () => {
    for (let length = 0; length < body.byteLength - "\r\n\r\n".length; length++) {
      expect(outcome(body.subarray(0, length), SIGNED)).not.toBe("ok");
    }
  });
});

describe("R2 stores nothing of a body", () => {
  // Longer than what the pump reads at once, so that a part of it is on its way before the mistake is seen.
  const content = new Uint8Array(1_000_000).fill(120);
  const good = encode(content, { sizes: [65_536], signing: SIGNING, trailers: [CRC32] });
  const changed = (offset: number) => {
    const copy = good.slice();
    copy[offset] = (copy[offset] ?? 0) ^ 1;
    return copy;
  };

  test.each<[string, Uint8Array, string]>([
    ["with a wrong trailer signature", changed(good.byteLength - 10), "SignatureDoesNotMatch"],
    ["with a wrong last chunk", changed(good.byteLength - 300), "SignatureDoesNotMatch"],
    ["with a wrong first chunk", changed(200), "SignatureDoesNotMatch"],
    ["that is cut", good.subarray(0, 900_000), "IncompleteBody"],
    ["that is cut before the trailer", good.subarray(0, good.byteLength - 140), "IncompleteBody"],
    ["that is cut in the trailer", good.subarray(0, good.byteLength - 60), "SignatureDoesNotMatch"],
  ])("%s", async (name, body, code) => {
    const request = new Request("https://a/b", { method: "PUT", body });
    if (request.body === null) throw new Error("no body");
    const decoded = awsChunked(request.body, { ...SIGNED, decodedLength: content.byteLength });
    await expect(env.BUCKET.put(name, decoded.body)).rejects.toThrow();
    expect(decoded.failure()).toMatchObject({ code });
    expect(await env.BUCKET.head(name)).toBeNull();
  });

  test("for the whole of it is never given away before the verdict", async () => {
    const request = new Request("https://a/b", { method: "PUT", body: changed(good.byteLength - 10) });
    if (request.body === null) throw new Error("no body");
    const decoded = awsChunked(request.body, { ...SIGNED, decodedLength: content.byteLength });
    let given = 0;
    const read = async () => {
      for await (const piece of decoded.body as AsyncIterable<Uint8Array>) given += piece.byteLength;
    };
    await expect(read()).rejects.toThrow();
    expect(given).toBeGreaterThan(0);
    expect(given).toBeLessThan(content.byteLength);
  });
});
