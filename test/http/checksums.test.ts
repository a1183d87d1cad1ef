/** Checksums as S3 clients name them, against published check values. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checksumOf } from "../../src/http/checksums.ts";

function hexOf(name: string, ...pieces: readonly Uint8Array[]): string | undefined {
  const checksum = checksumOf(`x-amz-checksum-${name}`);
  for (const piece of pieces) checksum?.update(piece);
  return checksum && Uint8Array.fromBase64(checksum.result()).toHex();
}

const ascii = (text: string) => new TextEncoder().encode(text);

describe("checksums", () => {
  // The check values of the catalogue of parametrised CRC algorithms; RFC 3720, B.4, for the 32 bytes of CRC-32C.
  test.each([
    ["crc32", "123456789", "cbf43926"],
    ["crc32c", "123456789", "e3069283"],
    ["crc32c", "\0".repeat(32), "8a9136aa"],
    ["crc64nvme", "123456789", "ae8b14860a799888"],
    ["sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"],
    ["sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"],
    ["crc32", "", "00000000"],
    ["crc32c", "", "00000000"],
    ["crc64nvme", "", "0000000000000000"],
  ])("%s of %j", (name, text, hex) => {
    expect(hexOf(name, ascii(text))).toBe(hex);
  });

  test("CRC-32C of the bytes 0 to 31", () => {
    expect(
      hexOf(
        "crc32c",
        Uint8Array.from({ length: 32 }, (_, index) => index),
      ),
    ).toBe("46dd794e");
  });

  test.each(["crc32", "crc32c", "crc64nvme", "sha1", "sha256"])(
    "%s does not depend on the pieces",
    (name) => {
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (bytes, a, b) => {
          const [first, second] = [Math.min(a, b), Math.max(a, b)];
          const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
          expect(hexOf(name, ...pieces)).toBe(hexOf(name, bytes));
        }),
      );
    },
  );

  test.each(["md5", "crc16", "", "toString", "__proto__"])("%j is not known", (name) => {
    expect(checksumOf(`x-amz-checksum-${name}`)).toBeUndefined();
    expect(checksumOf(name)).toBeUndefined();
  });
});
