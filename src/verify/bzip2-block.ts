/** One block of a bzip2 file: Huffman codes, move-to-front, and the links that undo the Burrows-Wheeler transform. */

import type { BitReader } from "./bit-reader.ts";
import { isFalse, isUnverifiable } from "./refusal.ts";

const MAX_CODE_BITS = 20;
/** Symbols per selector, which chooses their table. */
const GROUP = 50;
const MIN_TABLES = 2;
const MAX_TABLES = 6;
/** The first two symbols are digits of a run's length. */
const RUN_A = 0;
const RUN_B = 1;

interface Table {
  /** By length: the first longer code, of MAX_CODE_BITS bits. */
  limits: Int32Array;
  /** By length: the offset from a code to its index in `symbols`. */
  offsets: Int32Array;
  symbols: Uint16Array;
  minBits: number;
}

/**
 * Fills the block: in each word the low 8 bits are a byte, the others the index of the word after it. The text begins
 * with the word that `origin` points to. Throws Refusal.
 */
export function readBlock(reader: BitReader, block: Uint32Array): { length: number; origin: number } {
  if (reader.bits(1) !== 0) throw isUnverifiable("the bzip2 file was made by a version before 0.9.5");
  const origin = reader.bits(24);
  const bytes = readAlphabet(reader);
  const endOfBlock = bytes.length + 1;
  const tableCount = reader.bits(3);
  const selectorCount = reader.bits(15);
  if (tableCount < MIN_TABLES || tableCount > MAX_TABLES || selectorCount === 0) throw damaged();
  const selectors = readSelectors(reader, selectorCount, tableCount);
  const tables = Array.from({ length: tableCount }, () => readTable(reader, endOfBlock + 1));

  const counts = new Int32Array(256);
  let length = 0;
  let run = 0;
  let runDigit = 1;
  let group = 0;
  let left = 0;
  let table: Table | undefined;
  for (;;) {
    if (left === 0) {
      table = tables[selectors[group++] ?? tableCount];
      left = GROUP;
    }
    if (table === undefined) throw damaged();
    left--;
    const symbol = readSymbol(reader, table);
    if (symbol === RUN_A || symbol === RUN_B) {
      run += runDigit << symbol;
      runDigit <<= 1;
      if (run > block.length) throw damaged();
      continue;
    }
    if (run > 0) {
      const byte = bytes[0] ?? 0;
      if (length + run > block.length) throw damaged();
      block.fill(byte, length, length + run);
      length += run;
      counts[byte] = (counts[byte] ?? 0) + run;
      run = 0;
      runDigit = 1;
    }
    if (symbol === endOfBlock) break;
    if (length === block.length) throw damaged();
    const byte = bytes[symbol - 1] ?? 0;
    bytes.copyWithin(1, 0, symbol - 1);
    bytes[0] = byte;
    block[length++] = byte;
    counts[byte] = (counts[byte] ?? 0) + 1;
  }
  if (origin >= length) throw damaged();
  link(block, length, counts);
  return { length, origin };
}

/** The bytes that occur, in order. */
function readAlphabet(reader: BitReader): Uint8Array {
  const used = reader.bits(16);
  const bytes: number[] = [];
  for (let high = 0; high < 16; high++) {
    if (((used >> (15 - high)) & 1) === 0) continue;
    const row = reader.bits(16);
    for (let low = 0; low < 16; low++) if (((row >> (15 - low)) & 1) === 1) bytes.push(high * 16 + low);
  }
  if (bytes.length === 0) throw damaged();
  return Uint8Array.from(bytes);
}

function readSelectors(reader: BitReader, count: number, tableCount: number): Uint8Array {
  const order = Uint8Array.from({ length: tableCount }, (_, index) => index);
  const selectors = new Uint8Array(count);
  for (let index = 0; index < count; index++) {
    let place = 0;
    while (reader.bits(1) === 1) if (++place >= tableCount) throw damaged();
    const selector = order[place] ?? 0;
    order.copyWithin(1, 0, place);
    order[0] = selector;
    selectors[index] = selector;
  }
  return selectors;
}

function readTable(reader: BitReader, symbolCount: number): Table {
  const lengths = new Uint8Array(symbolCount);
  let bits = reader.bits(5);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    for (;;) {
      if (bits < 1 || bits > MAX_CODE_BITS) throw damaged();
      if (reader.bits(1) === 0) break;
      bits += reader.bits(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = bits;
  }
  return makeTable(lengths);
}

/** Canonical codes: they ascend by length, and by symbol within a length. */
function makeTable(lengths: Uint8Array): Table {
  const limits = new Int32Array(MAX_CODE_BITS + 1);
  const offsets = new Int32Array(MAX_CODE_BITS + 1);
  const symbols = new Uint16Array(lengths.length);
  let code = 0;
  let place = 0;
  let minBits = 0;
  for (let bits = 1; bits <= MAX_CODE_BITS; bits++) {
    code <<= 1;
    offsets[bits] = place - code;
    for (const [symbol, length] of lengths.entries()) {
      if (length !== bits) continue;
      symbols[place++] = symbol;
      code++;
      minBits ||= bits;
    }
    limits[bits] = code << (MAX_CODE_BITS - bits);
  }
  return { limits, offsets, symbols, minBits };
}

function readSymbol(reader: BitReader, { limits, offsets, symbols, minBits }: Table): number {
  const code = reader.peek(MAX_CODE_BITS);
  for (let bits = minBits; bits <= MAX_CODE_BITS; bits++) {
    if (code >= (limits[bits] ?? 0)) continue;
    reader.skip(bits);
    const symbol = symbols[(code >> (MAX_CODE_BITS - bits)) + (offsets[bits] ?? 0)];
    if (symbol === undefined) break;
    return symbol;
  }
  throw damaged();
}

function link(block: Uint32Array, length: number, counts: Int32Array): void {
  let sum = 0;
  for (const [byte, count] of counts.entries()) {
    counts[byte] = sum;
    sum += count;
  }
  for (let index = 0; index < length; index++) {
    const byte = (block[index] ?? 0) & 0xff;
    const place = counts[byte] ?? 0;
    counts[byte] = place + 1;
    block[place] = (block[place] ?? 0) | (index << 8);
  }
}

function damaged() {
  return isFalse("the bzip2 file is damaged");
}
