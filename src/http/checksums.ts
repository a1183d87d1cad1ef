// The checksums that clients send with a body (`Content-MD5`, `x-amz-checksum-*`), computed while it streams.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";

export interface Checksum {
  /** Its length. */
  readonly bytes: number;
  update(bytes: Uint8Array): void;
  /** Base64, as in the header; a CRC big-endian. */
  result(): string;
}

/** By header name. */
const CHECKSUMS: Readonly<Record<string, () => Checksum>> = {
  "content-md5": () => hashChecksum("md5", 16),
  "x-amz-checksum-crc32": crc32Checksum,
  "x-amz-checksum-crc32c": () => slicedCrc(CRC32C_POLYNOMIAL),
  "x-amz-checksum-crc64nvme": () => slicedCrc(CRC64NVME_POLYNOMIAL),
  "x-amz-checksum-sha1": () => hashChecksum("sha1", 20),
  "x-amz-checksum-sha256": () => hashChecksum("sha256", 32),
};

/** Starts the checksum of a header; `undefined` for an unknown one. */
export function checksumOf(header: string): Checksum | undefined {
  return Object.hasOwn(CHECKSUMS, header) ? CHECKSUMS[header]?.() : undefined;
}

function hashChecksum(algorithm: "md5" | "sha1" | "sha256", bytes: number): Checksum {
  const hash = createHash(algorithm);
  return { bytes, update: (piece) => void hash.update(piece), result: () => hash.digest("base64") };
}

function crc32Checksum(): Checksum {
  let crc = 0;
  return {
    bytes: 4,
    update: (bytes) => {
      crc = crc32(bytes, crc);
    },
    result: () => bigEndian([crc]),
  };
}

/** The words of a polynomial, bits reversed, the low one first. */
type Polynomial = readonly [low: number, high?: number];

/** RFC 3720, 12.1 (Castagnoli). */
const CRC32C_POLYNOMIAL: Polynomial = [0x82f63b78];
/** NVM Express Base Specification 2.0, 5.2.1.3.4. */
const CRC64NVME_POLYNOMIAL: Polynomial = [0xac4bc9b5, 0x9a6c9329];

type Tables = readonly [low: Int32Array, high: Int32Array];

const TABLES = new Map<Polynomial, Tables>();

/**
 * A CRC of 32 or 64 bits, "slicing by 8": eight bytes at a time with eight tables. The runtime has neither CRC, and
 * JavaScript no fast 64-bit integers, so a CRC is two words; a 32-bit one leaves the high word zero.
 */
function slicedCrc(polynomial: Polynomial): Checksum {
  const isWide = polynomial.length === 2;
  let crc: readonly [low: number, high: number] = [-1, isWide ? -1 : 0];
  return {
    bytes: isWide ? 8 : 4,
    update: (bytes) => {
      crc = update(crc, bytes, tables(polynomial));
    },
    result: () => bigEndian(isWide ? [~crc[1], ~crc[0]] : [~crc[0]]),
  };
}

function update(
  crc: readonly [low: number, high: number],
  bytes: Uint8Array,
  [lows, highs]: Tables,
): readonly [low: number, high: number] {
  let [low, high] = crc;
  const { length } = bytes;
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    const first = low ^ word(bytes, at);
    const second = high ^ word(bytes, at + 4);
    const a = 0x700 | (first & 255);
    const b = 0x600 | ((first >>> 8) & 255);
    const c = 0x500 | ((first >>> 16) & 255);
    const d = 0x400 | (first >>> 24);
    const e = 0x300 | (second & 255);
    const f = 0x200 | ((second >>> 8) & 255);
    const g = 0x100 | ((second >>> 16) & 255);
    const h = second >>> 24;
    low = of(lows, a) ^ of(lows, b) ^ of(lows, c) ^ of(lows, d);
    low ^= of(lows, e) ^ of(lows, f) ^ of(lows, g) ^ of(lows, h);
    high = of(highs, a) ^ of(highs, b) ^ of(highs, c) ^ of(highs, d);
    high ^= of(highs, e) ^ of(highs, f) ^ of(highs, g) ^ of(highs, h);
  }
  for (; at < length; at++) {
    const index = (low ^ (bytes[at] as number)) & 255;
    low = ((low >>> 8) | (high << 24)) ^ of(lows, index);
    high = (high >>> 8) ^ of(highs, index);
  }
  return [low, high];
}

/** Four bytes, the lowest first. `as number` here and below: the indexes are in range. */
function word(bytes: Uint8Array, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
  return low | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
}

function of(table: Int32Array, index: number): number {
  return table[index] as number;
}

/** Eight tables of 256 entries in one array: entry `256 k + b` is the CRC of byte `b` and `k` zero bytes after it. */
function tables(polynomial: Polynomial): Tables {
  const made = TABLES.get(polynomial);
  if (made !== undefined) return made;
  const [polynomialLow, polynomialHigh = 0] = polynomial;
  const lows = new Int32Array(8 * 256);
  const highs = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let low = byte;
    let high = 0;
    for (let k = 0; k < 8; k++) {
      for (let bit = 0; bit < 8; bit++) {
        const mask = -(low & 1);
        low = ((low >>> 1) | (high << 31)) ^ (polynomialLow & mask);
        high = (high >>> 1) ^ (polynomialHigh & mask);
      }
      lows[256 * k + byte] = low;
      highs[256 * k + byte] = high;
    }
  }
  TABLES.set(polynomial, [lows, highs]);
  return [lows, highs];
}

function bigEndian(words: readonly number[]): string {
  const bytes = new DataView(new ArrayBuffer(4 * words.length));
  for (const [index, word] of words.entries()) bytes.setInt32(4 * index, word);
  return new Uint8Array(bytes.buffer).toBase64();
}
