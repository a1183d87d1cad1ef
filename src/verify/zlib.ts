/** gzip, brotli and zstd, by the decoders of the runtime. */

import type { Transform } from "node:stream";
import { createGunzip, createZstdDecompress, type Zlib } from "node:zlib";
import { createBrotliDecoder } from "../http/brotli.ts";
import { isFalse } from "./refusal.ts";
import { zstdFrames } from "./zstd-frames.ts";

type Bytes = AsyncIterable<Uint8Array>;

/** Bytes of a piece of output. */
const CHUNK_BYTES = 128 * 1024;

/** Concatenated members are one file, as in Nix. */
export function gunzip(input: Bytes): Bytes {
  return through(createGunzip({ chunkSize: CHUNK_BYTES }), input, "gzip");
}

export function unbrotli(input: Bytes): Bytes {
  return through(createBrotliDecoder(CHUNK_BYTES), input, "brotli");
}

export function unzstd(input: Bytes): Bytes {
  return through(createZstdDecompress({ chunkSize: CHUNK_BYTES }), zstdFrames(input), "zstd");
}

/** Throws Refusal for wrong data, and the input's own errors as they are. */
async function* through(decoder: Transform & Zlib, input: Bytes, name: string): AsyncGenerator<Uint8Array> {
  let size = 0;
  let failure: { error: unknown } | undefined;
  let isClosed = false;
  /** Ends the write in progress. */
  let goOn = () => {};
  decoder.once("close", () => {
    isClosed = true;
    goOn();
  });
  const feed = async () => {
    try {
      for await (const piece of input) {
        if (isClosed) return;
        size += piece.length;
        await new Promise<void>((resolve) => {
          goOn = resolve;
          decoder.write(piece, () => resolve());
        });
      }
      decoder.end();
    } catch (error) {
      failure = { error };
      decoder.destroy();
    }
  };
  const feeding = feed();
  try {
    for await (const chunk of decoder) yield chunk;
  } catch {
    // If the input failed, its error is thrown below; otherwise the data are wrong.
    if (failure === undefined) throw isFalse(`the ${name} file is damaged`);
  } finally {
    decoder.destroy();
    await feeding;
  }
  if (failure !== undefined) throw failure.error;
  if (decoder.bytesWritten < size) throw isFalse(`there are bytes after the end of the ${name} file`);
}
