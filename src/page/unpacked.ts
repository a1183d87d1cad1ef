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
