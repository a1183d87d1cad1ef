// Bytes that do not compress, made as they are needed: any part of a gigabyte without the gigabyte.
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import { encodeNix32 } from "../../src/nix/nix32.ts";

export const MIB = 1024 * 1024;
const AES_BLOCK = 16;

/** An upload as large as one likes. */
export type Noise = {
  bytes: number;
  /** Lower-case hex. */
  sha256: string;
  /** The key of a NAR with this content, in no matter what compression. */
  key: string;
  /** A part of it; `offset` is a multiple of 16. */
  part: (offset: number, length: number) => Buffer;
  /** All of it, in pieces of a MiB. */
  stream: () => Readable;
};

export function makeNoise(bytes: number): Noise {
  const key = randomBytes(32);
  const part = (offset: number, length: number) => {
    const counter = Buffer.alloc(AES_BLOCK);
    counter.writeBigUInt64BE(BigInt(offset / AES_BLOCK), AES_BLOCK / 2);
    return createCipheriv("aes-256-ctr", key, counter).update(Buffer.alloc(Math.min(length, bytes - offset)));
  };
  function* pieces() {
    for (let offset = 0; offset < bytes; offset += MIB) yield part(offset, MIB);
  }
  const hash = createHash("sha256");
  for (const piece of pieces()) hash.update(piece);
  const digest = hash.digest();
  return {
    bytes,
    sha256: digest.toString("hex"),
    key: `nar/${encodeNix32(digest)}.nar.xz`,
    part,
    stream: () => Readable.from(pieces(), { objectMode: false }),
  };
}

/** The SHA-256 of a stream in lower-case hex, and how long it is. */
export async function digestOf(
  stream: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<{ sha256: string; bytes: number }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of stream) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest("hex"), bytes };
}
