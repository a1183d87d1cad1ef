/** Content codings: which a client accepts, and which are undone for it. */
// @module-tag slow
import { Readable } from "node:stream";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test, vi } from "vitest";
import {
  acceptEncoding,
  accepts,
  type Coding,
  contentCoding,
  decode,
  decodePieces,
  decodeStream,
  knownCoding,
} from "../../src/http/encodings.ts";
import { HttpError } from "../../src/http/errors.ts";

const CODERS: [Coding, (plain: Uint8Array) => Uint8Array][] = [
  ["br", brotliCompressSync],
  ["gzip", gzipSync],
  ["zstd", zstdCompressSync],
];
const FAST = { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } };
const PLAIN = new TextEncoder().encode("StorePath: ...\n".repeat(5000));

describe("Accept-Encoding (RFC 9110, 12.5.3)", () => {
  test.each<[string | null, string, boolean]>([
    ["gzip", "gzip", true],
    ["br, gzip", "gzip", true],
    ["br,gzip", "gzip", true],
    ["GZIP", "gzip", true],
    ["x-gzip", "gzip", true],
    ["gzip;q=0.5", "gzip", true],
    ["gzip; q=0.001", "gzip", true],
    ["gzip;q=1", "gzip", true],
    ["*", "zstd", true],
    ["br, *;q=0.1", "zstd", true],
    ["*;q=0, zstd", "zstd", true],
    ["deflate, gzip, br, zstd", "br", true],
    ["zstd, br, gzip, deflate, bzip2, xz", "zstd", true],
    [null, "gzip", false],
    ["", "gzip", false],
    ["identity", "gzip", false],
    ["br", "gzip", false],
    ["gzip;q=0", "gzip", false],
    ["gzip; q=0.000", "gzip", false],
    ["*, gzip;q=0", "gzip", false],
    ["*;q=0", "gzip", false],
    ["gzipped", "gzip", false],
    [";;,,q=0", "gzip", false],
  ])("%j accepts %s: %j", (header, coding, expected) => {
    expect(accepts(header, coding)).toBe(expected);
  });
});

describe("Cloudflare's edge replaces Accept-Encoding, and keeps the client's own in request.cf", () => {
  const url = "https://cache.example.org/";
  const headers = { "Accept-Encoding": "br, gzip" };
  test.each<[string, RequestInit, string | null]>([
    [
      "behind the edge, a client that said something",
      { headers, cf: { clientAcceptEncoding: "zstd" } },
      "zstd",
    ],
    ["behind the edge, a client that said nothing", { headers, cf: { clientAcceptEncoding: "" } }, ""],
    ["behind the edge, nothing known of the client", { headers, cf: {} }, null],
    ["no edge in between", { headers }, "br, gzip"],
    ["no edge and no header", {}, null],
  ])("%s", (_, init, expected) => {
    expect(acceptEncoding(new Request(url, init))).toBe(expected);
  });
});

describe("the Content-Encoding of an upload", () => {
  test.each<[string | null, Coding | undefined]>([
    [null, undefined],
    ["", undefined],
    ["identity", undefined],
    ["br", "br"],
    ["gzip", "gzip"],
    ["x-gzip", "gzip"],
    ["zstd", "zstd"],
    [" GZip ", "gzip"],
  ])("%j is %s", (header, coding) => {
    expect(contentCoding(header, "narinfo-compression")).toBe(coding);
  });

  test.each(["xz", "bzip2", "deflate", "compress", "gzip, br", "gzip,", "none", "x".repeat(5000), "\t\x01"])(
    "%j is refused, and says which setting to change",
    (header) => {
      const expected = { status: 415, headers: { "Accept-Encoding": "br, gzip, zstd" } };
      expect(() => contentCoding(header, "log-compression")).toThrow(expect.objectContaining(expected));
      expect(() => contentCoding(header, "log-compression")).toThrow(/set log-compression to .*gzip.* none/);
    },
  );

  test("of a stored object only what this server can undo counts", () => {
    expect([undefined, "", "identity", "xz", "br", "gzip", "x-gzip", "zstd"].map(knownCoding)).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
      "br",
      "gzip",
      "gzip",
      "zstd",
    ]);
  });
});

describe.each(CODERS)("%s", (coding, encode) => {
  test("is undone, whole and as a stream", async () => {
    expect(await decode(encode(PLAIN), coding, PLAIN.length * 2)).toEqual(Buffer.from(PLAIN));
    const { body } = new Response(encode(PLAIN));
    if (body === null) throw new Error("no body");
    expect(await new Response(decodeStream(body, coding, PLAIN.length)).bytes()).toEqual(PLAIN);
  });

  test.each([1, 1000, 16_385, 50_000, 65_536, 75_000, 100_000, 300_000])(
    "may give as many bytes as the limit, not one more: %d",
    async (size) => {
      const encoded = encode(new Uint8Array(size).map((_, index) => index >> 4));
      expect(await decode(encoded, coding, size)).toHaveLength(size);
      await expect(decode(encoded, coding, size - 1)).rejects.toMatchObject({ status: 413 });
    },
  );

  test("a decompression bomb is refused", async () => {
    const bomb = encode(new Uint8Array(8 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(100 * 1024);
    const refusal = await decode(bomb, coding, 1024 * 1024).catch((error) => error);
    expect(refusal).toBeInstanceOf(HttpError);
    expect(refusal).toMatchObject({ status: 413, message: "the decoded body is larger than 1048576 bytes" });
  });

  test("is decoded as it is read: 48 MiB are never in memory at once, though the reader is slow", async () => {
    const bomb = encode(new Uint8Array(48 * 1024 * 1024));
    let [decoded, largest] = [0, 0];
    for await (const piece of decodePieces([bomb], coding, 64 * 1024 * 1024)) {
      decoded += piece.length;
      largest = Math.max(largest, piece.length);
      // The decoder could go on meanwhile.
      await scheduler.wait(0);
    }
    expect(decoded).toBe(48 * 1024 * 1024);
    expect(largest).toBeLessThan(1024 * 1024);
  });

  test("is decoded from any pieces, and up to the piece with which the limit is passed", async () => {
    const encoded = encode(PLAIN);
    function* bytes() {
      for (const byte of encoded) yield Uint8Array.of(byte);
    }
    const whole: Uint8Array[] = [];
    for await (const piece of decodePieces(bytes(), coding, PLAIN.length)) whole.push(piece);
    expect(Buffer.concat(whole)).toEqual(Buffer.from(PLAIN));
    let given = 0;
    const decoding = async () => {
      const bomb = encode(new Uint8Array(8 * 1024 * 1024));
      for await (const { length } of decodePieces([bomb], coding, 1000)) given += length;
    };
    await expect(decoding()).rejects.toMatchObject({ status: 413 });
    expect(given).toBeLessThanOrEqual(1000);
  });

  test("an error of the body is not taken for one of its content", async () => {
    async function* failing() {
      yield encode(PLAIN).subarray(0, 3);
      throw new Error("connection lost");
    }
    const decoding = async () => {
      for await (const _ of decodePieces(failing(), coding, 1000));
    };
    await expect(decoding()).rejects.toThrow("connection lost");
  });

  test("a body that is something else, cut or empty is refused", async () => {
    const whole = encode(PLAIN);
    const more = Buffer.concat([whole, PLAIN]);
    const none = new Uint8Array();
    for (const body of [PLAIN, whole.subarray(0, -5), whole.subarray(5), whole.subarray(0, 3), more, none]) {
      const refusal = await decode(body, coding, 1024 * 1024).catch((error) => error);
      expect(refusal).toBeInstanceOf(HttpError);
      expect(refusal).toMatchObject({ status: 400 });
      expect(refusal.message).toContain(`not valid ${coding}`);
    }
  });

  test("any bytes are decoded or refused", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 100 }), async (bytes) => {
        const result = await decode(bytes, coding, 1000).catch((error) => error);
        if (!(result instanceof Uint8Array)) expect([400, 413]).toContain(result.status);
      }),
      { numRuns: 300 },
    );
  });
});

test("brotli is unpacked as it is read: the decoder is never far ahead of a slow reader", async () => {
  const size = 64 * 1024 * 1024;
  const { body } = new Response(brotliCompressSync(new Uint8Array(size), FAST));
  if (body === null) throw new Error("no body");
  const pushed = vi.spyOn(Readable.prototype, "push");
  let [unpacked, read, ahead] = [0, 0, 0];
  for await (const piece of decodeStream(body, "br", size)) {
    read += piece.length;
    // The decoder could go on meanwhile.
    await scheduler.wait(0);
    for (const [chunk] of pushed.mock.calls.splice(0)) unpacked += chunk?.length ?? 0;
    ahead = Math.max(ahead, unpacked - read);
  }
  expect([unpacked, read]).toEqual([size, size]);
  expect(ahead).toBeLessThan(1024 * 1024);
});
