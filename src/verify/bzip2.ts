/** bzip2, in memory of about 9 MB: the runtime has no decoder for it. */

import { type BitReader, bitReader } from "./bit-reader.ts";
import { readBlock } from "./bzip2-block.ts";
import { isFalse } from "./refusal.ts";

/** More than any encoder writes for a block: 900,000 symbols of at most 20 bits, selectors and tables. */
const MAX_BLOCK_BYTES = 2_400_000;
/** Of a block, by the level in the header. */
const BLOCK_BYTES_PER_LEVEL = 100_000;
const CHUNK_BYTES = 64 * 1024;
const BLOCK_MAGIC = [0x314159, 0x265359] as const;
const END_MAGIC = [0x177245, 0x385090] as const;
/** Four equal bytes are followed by the number of further ones. */
const RUN = 4;

/** Concatenated streams are one file, as in Nix. Yields pieces that are valid until the next. Throws Refusal. */
export async function* unbzip2(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = bitReader(input, "bzip2");
  await reader.fill(MAX_BLOCK_BYTES);
  do {
    if (reader.bits(24) !== 0x425a68)
      throw isFalse("it is not a bzip2 file, or there are bytes after the end of one");
    const level = reader.bits(8) - 0x30;
    if (level < 1 || level > 9) throw isFalse("the bzip2 file is damaged");
    yield* stream(reader, level * BLOCK_BYTES_PER_LEVEL);
    reader.align();
    await reader.fill(MAX_BLOCK_BYTES);
  } while (!reader.isAtEnd());
}

async function* stream(reader: BitReader, blockBytes: number): AsyncGenerator<Uint8Array> {
  const block = new Uint32Array(blockBytes);
  let checksum = 0;
  for (;;) {
    await reader.fill(MAX_BLOCK_BYTES);
    const magic = [reader.bits(24), reader.bits(24)];
    const expected = word(reader);
    if (magic[0] === END_MAGIC[0] && magic[1] === END_MAGIC[1]) {
      if (checksum !== expected) throw isFalse("the bzip2 file has a wrong checksum");
      return;
    }
    if (magic[0] !== BLOCK_MAGIC[0] || magic[1] !== BLOCK_MAGIC[1])
      throw isFalse("the bzip2 file is damaged");
    const { length, origin } = readBlock(reader, block);
    const actual = yield* unpack(block, length, origin);
    if (actual !== expected) throw isFalse("the bzip2 file has a wrong checksum");
    checksum = ((checksum << 1) | (checksum >>> 31)) ^ actual;
    checksum >>>= 0;
  }
}

/** Undoes the Burrows-Wheeler transform (`block` has a byte and the next index in each word) and the runs; returns the checksum. */
function* unpack(block: Uint32Array, length: number, origin: number): Generator<Uint8Array, number> {
  const out = new Uint8Array(CHUNK_BYTES + 255);
  let filled = 0;
  let crc = -1;
  let index = (block[origin] ?? 0) >>> 8;
  let previous = -1;
  let repeated = 0;
  for (let left = length; left > 0; left--) {
    const entry = block[index] ?? 0;
    const byte = entry & 0xff;
    index = entry >>> 8;
    if (repeated === RUN) {
      out.fill(previous, filled, filled + byte);
      for (let each = byte; each > 0; each--) crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ previous] ?? 0);
      filled += byte;
      repeated = 0;
      previous = -1;
    } else {
      repeated = byte === previous ? repeated + 1 : 1;
      previous = byte;
      out[filled++] = byte;
      crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ byte] ?? 0);
    }
    if (filled >= CHUNK_BYTES) {
      yield out.subarray(0, filled);
      filled = 0;
    }
  }
  if (filled > 0) yield out.subarray(0, filled);
  return ~crc >>> 0;
}

function word(reader: BitReader): number {
  return (reader.bits(16) * 0x10000 + reader.bits(16)) >>> 0;
}

/** CRC-32 of the polynomial 0x04C11DB7, not reflected. */
const CRC = Int32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});
