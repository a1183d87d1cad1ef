/** A NAR in brotli that is mostly empty: unpacked as it is read, not into memory. */
import { brotliCompressSync, constants } from "node:zlib";
import { expect, test } from "vitest";
import { unbrotli } from "../../src/verify/zlib.ts";

test("a few bytes that are 64 MiB are never in memory at once, though the reader is slow", async () => {
  const size = 64 * 1024 * 1024;
  const file = brotliCompressSync(new Uint8Array(size), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });
  expect(file.length).toBeLessThan(100_000);
  async function* input() {
    yield file;
  }
  let [unpacked, largest] = [0, 0];
  for await (const piece of unbrotli(input())) {
    unpacked += piece.length;
    largest = Math.max(largest, piece.length);
    // The decoder could go on meanwhile.
    await scheduler.wait(0);
  }
  expect(unpacked).toBe(size);
  expect(largest).toBeLessThan(1024 * 1024);
});
