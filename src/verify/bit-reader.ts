/**
 * Reads bits from a stream, the highest of each byte first. `fill` buffers enough of them before a block is decoded.
 */

import { isFalse } from "./refusal.ts";

export interface BitReader {
  /** Waits until this many bytes are buffered, or the stream has ended. */
  fill(bytes: number): Promise<void>;
  /** The next bits, at most 24. Throws Refusal if there are not as many. */
  bits(count: number): number;
  /** The next bits without consuming them; zeros after the end. */
  peek(count: number): number;
  skip(count: number): void;
  /** Skips the rest of the current byte. */
  align(): void;
  /** After {@link fill}: whether nothing is left. */
  isAtEnd(): boolean;
}

export function bitReader(input: AsyncIterable<Uint8Array>, name: string): BitReader {
  const iterator = input[Symbol.asyncIterator]();
  let bytes: Uint8Array = new Uint8Array();
  let length = 0;
  /** Index of the next byte that is not in the window. */
  let at = 0;
  /** The next bits are its last ones. */
  let window = 0;
  let available = 0;
  let hasEnded = false;

  return { fill, bits, peek, skip, align, isAtEnd };

  async function fill(wanted: number): Promise<void> {
    if (hasEnded || length - at >= wanted) return;
    bytes.copyWithin(0, at, length);
    length -= at;
    at = 0;
    while (length < wanted) {
      const { value, done } = await iterator.next();
      if (done) {
        hasEnded = true;
        return;
      }
      if (length + value.length > bytes.length) {
        const larger = new Uint8Array(Math.max(2 * wanted, length + value.length));
        larger.set(bytes.subarray(0, length));
        bytes = larger;
      }
      bytes.set(value, length);
      length += value.length;
    }
  }

  function peek(count: number): number {
    // At most 7 bits remain, so the window stays within 31.
    while (available < count) {
      window = ((window << 8) | (at < length ? (bytes[at] ?? 0) : 0)) & 0x7fffffff;
      at++;
      available += 8;
    }
    return (window >>> (available - count)) & ((1 << count) - 1);
  }

  function skip(count: number): void {
    available -= count;
    // Peeking beyond the end is allowed, consuming is not.
    if (at - (available >> 3) > length) throw isFalse(`the ${name} file ends too early`);
  }

  function bits(count: number): number {
    const value = peek(count);
    skip(count);
    return value;
  }

  function align(): void {
    skip(available % 8);
  }

  function isAtEnd(): boolean {
    return at - (available >> 3) >= length;
  }
}
