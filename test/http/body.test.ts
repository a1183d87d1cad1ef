/** Reading a body: its length, its limit, and text that has to be UTF-8. */
import { describe, expect, test } from "vitest";
import { contentLength, decodeUtf8, readBody } from "../../src/http/body.ts";

function upload(body: BodyInit | null, contentLengthHeader?: string): Request {
  const headers = contentLengthHeader === undefined ? {} : { "Content-Length": contentLengthHeader };
  return new Request("https://cache.example.org/", { method: "PUT", body, headers });
}

/** A body that arrives in pieces, without a Content-Length. */
function pieces(...sizes: number[]): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(controller) {
      const size = sizes.shift();
      if (size === undefined) controller.close();
      else controller.enqueue(new Uint8Array(size).fill(size));
    },
  });
}

describe("Content-Length", () => {
  test.each<[string | undefined, number | undefined]>([
    [undefined, undefined],
    ["0", 0],
    ["5", 5],
    ["0005", 5],
    ["999999999999999", 999999999999999],
  ])("%j is %j", (header, expected) => {
    expect(contentLength(upload(null, header))).toBe(expected);
  });

  test.each(["", "-1", "+5", "5.0", "0x5", "1e3", "5, 5", "five", "9".repeat(16)])(
    "%j is refused",
    (header) => {
      expect(() => contentLength(upload(null, header))).toThrow(expect.objectContaining({ status: 400 }));
    },
  );
});

describe("reading a body whole", () => {
  test.each<[string, Request, number]>([
    ["none", upload(null), 0],
    ["empty", upload(""), 0],
    ["short", upload("hello"), 5],
    ["with its length", upload("hello", "5"), 5],
    ["in pieces", upload(pieces(3, 4, 5)), 12],
    ["in pieces, as large as it may be", upload(pieces(50, 50)), 100],
  ])("%s", async (_, request, size) => {
    expect(await readBody(request, 100)).toHaveLength(size);
  });

  test("keeps the order of the pieces", async () => {
    expect([...(await readBody(upload(pieces(1, 2, 3)), 6))]).toEqual([1, 2, 2, 3, 3, 3]);
  });

  test.each<[string, Request, number]>([
    ["too large", upload("x".repeat(101)), 413],
    ["announced too large", upload("x", "101"), 413],
    ["too large in pieces", upload(pieces(50, 50, 1)), 413],
    ["shorter than announced", upload("hell", "5"), 400],
    ["absent, though announced (Nix before 2.33.2 on a retry)", upload(null, "5"), 400],
    ["longer than announced", upload("hello!", "5"), 400],
    ["of no sensible length", upload("hello", "x"), 400],
  ])("%s is refused", async (_, request, status) => {
    await expect(readBody(request, 100)).rejects.toMatchObject({ status });
  });

  test("is held in one buffer, whatever pieces it comes in", async () => {
    const sizes = [1, 100_000, 1, 1, 300_000, 64 * 1024, 7];
    const size = sizes.reduce((sum, next) => sum + next);
    const body = await readBody(upload(pieces(...sizes)), 1_000_000);
    const expected = sizes.flatMap((length) => Array(length).fill(length & 0xff));
    expect([...body]).toEqual(expected);
    expect(await readBody(upload(pieces(...[1, 100_000, 1, 1, 300_000, 64 * 1024, 7])), size)).toHaveLength(
      size,
    );
    const bytes = await readBody(upload(pieces(...Array(10_000).fill(1))), 10_000);
    expect(bytes.buffer.byteLength).toBeLessThan(100_000);
  });

  test("stops reading when it is too large", async () => {
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(40));
      },
    });
    await expect(readBody(upload(endless), 100)).rejects.toMatchObject({ status: 413 });
    expect(pulled).toBeLessThan(10);
  });
});

describe("text", () => {
  test("is UTF-8, and a byte order mark is a part of it", () => {
    expect(decodeUtf8(new TextEncoder().encode("häß\ufeff"))).toBe("häß\ufeff");
    expect(decodeUtf8(new TextEncoder().encode("\ufeffa"))).toBe("\ufeffa");
  });

  test.each([
    [[0xff]],
    [[0x61, 0xc3]],
    [[0xc0, 0xaf]],
    [[0xed, 0xa0, 0x80]],
    [[0xf8, 0x88, 0x80, 0x80, 0x80]],
  ])("%j is none", (bytes) => {
    expect(() => decodeUtf8(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ status: 400 }));
  });
});
