// Request bodies: their announced length, and reading a small one whole.
import { HttpError } from "./errors.ts";

/** The Content-Length of a request in bytes, or `undefined`. Throws {@link HttpError} 400 if it is no number. */
export function contentLength(request: Request): number | undefined {
  const header = request.headers.get("Content-Length");
  if (header === null) return undefined;
  if (!/^\d{1,15}$/.test(header)) throw new HttpError(400, "the Content-Length is not a number");
  return Number(header);
}

/** Reads a body of at most `limit` bytes; throws {@link HttpError} 413 before buffering more. */
export async function readBody(request: Request, limit: number): Promise<Uint8Array> {
  const announced = contentLength(request);
  if (announced !== undefined && announced > limit) throw tooLarge(limit);
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    size += chunk.byteLength;
    if (size > limit) throw tooLarge(limit);
    chunks.push(chunk);
  }
  if (announced !== undefined && size !== announced) {
    throw new HttpError(400, `the body has ${size} bytes, its Content-Length says ${announced}`);
  }
  return concat(chunks, size);
}

/** A body as text. Throws {@link HttpError} 400 where it is no UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new HttpError(400, "the body is not UTF-8 text");
  }
}

function concat(chunks: readonly Uint8Array[], size: number): Uint8Array {
  const whole = new Uint8Array(size);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
}

function tooLarge(limit: number): HttpError {
  return new HttpError(413, `the body is larger than ${limit} bytes, the limit for this kind of object`);
}
