// Request bodies: their announced length, and reading a small one whole.
import { HttpError, LimitError } from "./errors.ts";

const FIRST_BUFFER_BYTES = 64 * 1024;
const PIECE_BYTES = 64 * 1024;

/** The Content-Length of a request in bytes, or `undefined`. Throws {@link HttpError} 400 if it is no number. */
export function contentLength(request: Request): number | undefined {
  const header = request.headers.get("Content-Length");
  if (header === null) return undefined;
  if (!/^\d{1,15}$/.test(header)) throw new HttpError(400, "the Content-Length is not a number");
  return Number(header);
}

/** Reads a body of at most `limit` bytes; throws {@link LimitError} 413 before buffering more. */
export async function readBody(
  request: Request,
  limit: number,
  { leavesRest = false }: { readonly leavesRest?: boolean } = {},
): Promise<Uint8Array> {
  const announced = contentLength(request);
  if (announced !== undefined && announced > limit) throw tooLarge(limit);
  // One buffer: a client may send a byte at a time, and an array for each would be a hundred times the body.
  let buffer = new Uint8Array(Math.min(FIRST_BUFFER_BYTES, announced ?? FIRST_BUFFER_BYTES));
  let size = 0;
  const chunks = request.body?.values({ preventCancel: leavesRest }) ?? [];
  for await (const chunk of chunks as AsyncIterable<Uint8Array>) {
    const end = size + chunk.byteLength;
    if (end > limit) throw tooLarge(limit);
    if (end > buffer.length)
      buffer = enlarged(buffer, size, Math.max(end, Math.min(2 * end, announced ?? limit)));
    buffer.set(chunk, size);
    size = end;
  }
  if (announced !== undefined && size !== announced) {
    throw new HttpError(
      400,
      `the body has ${size} bytes, its Content-Length says ${announced}; send it again`,
    );
  }
  return buffer.subarray(0, size);
}

/** Reads what {@link readBody} has left: a client that is still sending must not find its connection broken. */
export async function discardBody({ body }: Request): Promise<void> {
  if (body === null || body.locked) return;
  for await (const _ of body as AsyncIterable<Uint8Array>);
}

/** A body in pieces, for work on one piece at a time. */
export function* piecesOf(body: Uint8Array): Generator<Uint8Array> {
  for (let at = 0; at < body.length; at += PIECE_BYTES) yield body.subarray(at, at + PIECE_BYTES);
}

/** A body as text. Throws {@link HttpError} 400 where it is no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "the body is not UTF-8 text");
  }
}

function enlarged(buffer: Uint8Array, used: number, length: number): Uint8Array<ArrayBuffer> {
  const larger = new Uint8Array(length);
  larger.set(buffer.subarray(0, used));
  return larger;
}

function tooLarge(limit: number): LimitError {
  return new LimitError(413, `the body is larger than ${limit} bytes, the limit for this kind of object`);
}
