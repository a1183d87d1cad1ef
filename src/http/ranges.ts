// Byte ranges (RFC 9110, section 14). One range is answered with 206, several with the whole object (14.2).
import { HttpError } from "./errors.ts";

/** A Range header, before the size of the object is known. */
export type RangeRequest =
  | { readonly offset: number; readonly length?: number }
  | { readonly suffix: number };

/** A range of a known object: `offset + length <= size`, `length > 0`. Bytes. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * Parses a Range header. `undefined` if it is absent or ignored: another unit, several ranges, or malformed (14.2: a
 * server may ignore Range).
 */
export function parseRange(header: string | null): RangeRequest | undefined {
  if (header === null) return undefined;
  const match = /^bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (match === null) return undefined;
  const [, first = "", last = ""] = match;
  if (first === "") return last === "" ? undefined : { suffix: clamp(last) };
  const offset = clamp(first);
  if (last === "") return { offset };
  const end = clamp(last);
  return end < offset ? undefined : { offset, length: end - offset + 1 };
}

/** The range in an object of `size` bytes; `undefined` if it cannot be satisfied (416). */
export function resolveRange(range: RangeRequest, size: number): ByteRange | undefined {
  if ("suffix" in range) {
    const length = Math.min(range.suffix, size);
    return length === 0 ? undefined : { offset: size - length, length };
  }
  if (range.offset >= size) return undefined;
  return { offset: range.offset, length: Math.min(range.length ?? size, size - range.offset) };
}

export function contentRange(range: ByteRange, size: number): string {
  return `bytes ${range.offset}-${range.offset + range.length - 1}/${size}`;
}

/** The refusal of a range outside an object of `size` bytes, with the size (RFC 9110, section 14.4). */
export function rangeNotSatisfiable(size: number): HttpError {
  return new HttpError(416, `the object has ${size} bytes; the range lies outside`, {
    "Content-Range": `bytes */${size}`,
  });
}

/** Larger numbers would lose precision; no object is as large. */
function clamp(digits: string): number {
  return Math.min(Number(digits), Number.MAX_SAFE_INTEGER - 1);
}
