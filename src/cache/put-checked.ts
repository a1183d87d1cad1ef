// Storing a body while it is checked: whatever its size, a few pieces of it are in memory.
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import { HttpError } from "../http/errors.ts";
import { byteReader } from "../http/filtered-body.ts";

/** Bytes; as in {@link byteReader}'s other uses. */
const PIECE_BYTES = 256 * 1024;

/**
 * Puts a body of `length` bytes. Where `check` throws, nothing is stored; the rest of the body is read all the same, so
 * that the client sees the answer; `null` where the condition of a put does not hold. Throws {@link HttpError} 400 for a
 * body of another length.
 */
export async function putChecked(
  bucket: R2Bucket,
  key: string,
  { body, length }: { readonly body: ReadableStream<Uint8Array>; readonly length: number },
  options: R2PutOptions,
  check: (pieces: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<R2Object | null> {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  const reader = byteReader(body);
  // Its failure shows at the next read.
  reader.closed.catch(() => undefined);
  const put = bucketOperation("put", () => bucket.put(key, readable, options));
  let isRefused = false;
  const stopWriting = (reason: unknown) => writer.abort(reason).catch(() => undefined);
  // A bucket that has failed, or whose condition does not hold, reads no further.
  put.then((object) => {
    isRefused = object === null;
    return isRefused ? stopWriting("the condition does not hold") : undefined;
  }, stopWriting);
  // The bucket stores an object as soon as all announced bytes have arrived, so the last piece is held back.
  let held: Uint8Array | undefined;
  let isEnded = false;
  async function* passedOn(): AsyncGenerator<Uint8Array> {
    let received = 0;
    for await (const piece of piecesOf(reader)) {
      received += piece.byteLength;
      if (received > length) throw wrongLength(received, length);
      if (held !== undefined) await writer.write(held);
      held = piece;
      yield piece;
    }
    isEnded = true;
    if (received < length) throw wrongLength(received, length);
  }
  try {
    await check(passedOn());
    if (held !== undefined) await writer.write(held);
    await writer.close();
  } catch (error) {
    await Promise.allSettled([writer.abort(error), put]);
    if (!(error instanceof HttpError || isRefused)) throw bucketFailure("put", error);
    if (!isEnded) for await (const _ of piecesOf(reader));
    if (isRefused) return null;
    throw error;
  }
  return put;
}

async function* piecesOf(reader: ReadableStreamBYOBReader): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { value, done } = await reader.readAtLeast(PIECE_BYTES, new Uint8Array(PIECE_BYTES));
    if (value !== undefined && value.byteLength > 0) yield value;
    if (done) return;
  }
}

function wrongLength(received: number, length: number): HttpError {
  return new HttpError(400, `the body has ${received} bytes or more, its Content-Length says ${length}`);
}
