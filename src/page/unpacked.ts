// The bytes of a NAR from the bucket: a range of one that is not compressed, else what the decoders give.
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import { HttpError } from "../http/errors.ts";
import type { NarInfo } from "../nix/narinfo.ts";
import { Refusal } from "../verify/refusal.ts";

/** Bytes of a NAR that are unpacked for one answer, as that takes CPU time: those before the file count, too. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

/**
 * The bytes of a NAR from `start` on, `length` of them; pieces are valid until the next. One bucket operation. Throws
 * {@link HttpError} 404 where it is gone, 413 beyond {@link MAX_UNPACKED_BYTES} of a compressed NAR, and while it is read
 * 404 where the NAR is damaged or shorter.
 */
export async function* unpacked(
  bucket: R2Bucket,
  narKey: string,
  { compression, narSize }: NarInfo,
  length: number,
  start = 0,
): AsyncGenerator<Uint8Array> {
  const end = start + length;
  if (end > narSize) throw new HttpError(404, "the listing of this path does not fit its NAR");
  if (length === 0) return;
  const isPlain = compression === "none";
  if (!isPlain && end > MAX_UNPACKED_BYTES) {
    throw new HttpError(
      413,
      `this is beyond the first ${MAX_UNPACKED_BYTES / 1024 ** 2} MiB of a compressed NAR; 'nix store cat' reads it`,
    );
  }
  const options = isPlain ? { range: { offset: start, length } } : {};
  const object = await bucketOperation("get", () => bucket.get(narKey, options));
  if (object === null) throw new HttpError(404, "the NAR of this path is gone");
  const [{ piecesOf }, { decode }] = await Promise.all([
    import("../verify/pieces.ts"),
    import("../verify/decode.ts"),
  ]);
  const pieces = piecesOf(object.body);
  let at = isPlain ? start : 0;
  try {
    for await (const piece of isPlain ? pieces : decode(pieces, compression)) {
      const part = piece.subarray(Math.max(0, start - at), Math.max(0, end - at));
      at += piece.length;
      if (part.length > 0) yield part;
      if (at >= end) return;
    }
  } catch (error) {
    throw readFailure(error);
  }
  throw new HttpError(404, "the NAR of this path ends too early");
}

/** What was thrown while a NAR was read, as HTTP. */
export function readFailure(error: unknown): HttpError {
  if (error instanceof Refusal)
    return new HttpError(404, `the NAR of this path cannot be read: ${error.message}`);
  return bucketFailure("get", error);
}

/** Where a file is in its NAR. Bytes. */
export interface Span {
  readonly narOffset: number;
  readonly size: number;
}

/**
 * The bytes of these files in one reading, from the first of them on. One bucket operation. Those are left out that are
 * too far behind, in a compressed NAR or from one another, or cannot be read.
 */
export async function unpackedFiles<F extends Span>(
  bucket: R2Bucket,
  narKey: string,
  info: NarInfo,
  files: readonly F[],
): Promise<ReadonlyMap<F, Uint8Array>> {
  const result = new Map<F, Uint8Array>();
  const start = Math.min(...files.map(({ narOffset }) => narOffset));
  const limit = Math.min(info.narSize, (info.compression === "none" ? start : 0) + MAX_UNPACKED_BYTES);
  const within = files.filter((file) => endOf(file) <= limit);
  const end = Math.max(start, ...within.map(endOf));
  const contents = new Map(within.map((file) => [file, new Uint8Array(file.size)]));
  let at = start;
  try {
    for await (const piece of unpacked(bucket, narKey, info, end - start, start)) {
      for (const [{ size, narOffset }, bytes] of contents) {
        const part = piece.subarray(Math.max(0, narOffset - at), Math.max(0, narOffset + size - at));
        if (part.length > 0) bytes.set(part, Math.max(0, at - narOffset));
      }
      at += piece.length;
    }
  } catch (error) {
    console.warn("a document stays without files", error);
  }
  for (const [file, bytes] of contents) if (endOf(file) <= at) result.set(file, bytes);
  return result;
}

function endOf({ narOffset, size }: Span): number {
  return narOffset + size;
}

/** A file's first bytes, `length` of them; see {@link unpacked}. */
export async function unpackedBytes(
  bucket: R2Bucket,
  narKey: string,
  info: NarInfo,
  length: number,
  start: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let at = 0;
  for await (const piece of unpacked(bucket, narKey, info, length, start)) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
