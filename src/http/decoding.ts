// Undoes content codings piece by piece, and stops at a limit: a compressed body may unpack to a million times its size.
import type { Transform } from "node:stream";
import type { Zlib } from "node:zlib";
import { HttpError, LimitError } from "./errors.ts";

export type Coding = "br" | "gzip" | "zstd";

type Pieces = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** Bytes of a piece of output. */
const PIECE_BYTES = 64 * 1024;
/** The logarithm of zstd's largest window as a content coding, 8 MB (RFC 9659). The decoder holds it in memory. */
const ZSTD_WINDOW_LOG = 23;

/**
 * Decodes a body as it is read. Throws {@link LimitError} 413 as soon as there are more than `limit` bytes, and 400 if the
 * body does not have the coding, is cut, or has anything behind its end.
 */
export async function* decodePieces(body: Pieces, coding: Coding, limit: number): AsyncGenerator<Uint8Array> {
  const decoder = await createDecoder(coding);
  let given = 0;
  let failure: { error: unknown } | undefined;
  const closed = new Promise<void>((resolve) => decoder.once("close", resolve));
  const feed = async () => {
    try {
      for await (const piece of body) {
        if (decoder.destroyed) return;
        given += piece.length;
        const written = new Promise<void>((resolve) => decoder.write(piece, () => resolve()));
        await Promise.race([written, closed]);
      }
      decoder.end();
    } catch (error) {
      failure = { error };
      decoder.destroy();
    }
  };
  const feeding = feed();
  let decoded = 0;
  try {
    for await (const piece of decoder) {
      decoded += piece.length;
      if (decoded > limit) throw tooLarge(limit);
      yield piece;
    }
  } catch (error) {
    // If the body failed, its error is thrown below; any other is of the decoder.
    if (failure === undefined) throw error instanceof HttpError ? error : invalid(coding);
  } finally {
    decoder.destroy();
    await feeding;
  }
  if (failure !== undefined) throw failure.error;
  // A client would go on with what follows the first frame of zstd, which this decoder ignores.
  if (given === 0 || decoder.bytesWritten < given) throw invalid(coding);
}

/** Decodes a small body whole; see {@link decodePieces}. */
export async function decode(body: Uint8Array, coding: Coding, limit: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of decodePieces([body], coding, limit)) pieces.push(piece);
  return Buffer.concat(pieces);
}

/** Decodes a stored object for a client that does not accept its coding. It breaks off above `limit` bytes. */
export function decodeStream(
  body: ReadableStream<Uint8Array>,
  coding: Coding,
  limit: number,
): ReadableStream<Uint8Array> {
  const pieces = decodePieces(body, coding, limit);
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await pieces.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await pieces.return(undefined);
    },
  });
}

async function createDecoder(coding: Coding): Promise<Transform & Zlib> {
  const zlib = await import("node:zlib");
  const options = { chunkSize: PIECE_BYTES };
  switch (coding) {
    case "br":
      return (await import("./brotli.ts")).createBrotliDecoder(PIECE_BYTES);
    case "gzip":
      return zlib.createGunzip(options);
    case "zstd": {
      const params = { [zlib.constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
      return zlib.createZstdDecompress({ ...options, params });
    }
  }
}

function invalid(coding: Coding): HttpError {
  return new HttpError(
    400,
    `the body is not valid ${coding}, though its Content-Encoding says so: it is damaged, cut, or has more behind its end`,
  );
}

function tooLarge(limit: number): LimitError {
  return new LimitError(413, `the decoded body is larger than ${limit} bytes`);
}
