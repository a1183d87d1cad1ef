// The runtime's decoder of brotli, made to wait for its reader.
import type { Transform } from "node:stream";
import { createBrotliDecompress, type Zlib } from "node:zlib";

/** A decoder that gives pieces of this many bytes, and holds some of them. */
export function createBrotliDecoder(chunkSize: number): Transform & Zlib {
  return oneReadAtATime(createBrotliDecompress({ chunkSize }));
}

/**
 * The runtime's decoder of brotli decodes synchronously. When its buffer is full it replaces `_read` by a function that
 * goes on and then reads again, from within the read: at the second read it decodes everything (workerd of 2026-11; 455
 * bytes were 300 MB in memory). Such a function within another does nothing here, so that it waits for the next read.
 */
function oneReadAtATime<D extends Transform>(decoder: D): D {
  const original = decoder._read;
  let read = original;
  let isGoingOn = false;
  const goOn = (next: D["_read"]) => (size: number) => {
    if (isGoingOn) return;
    isGoingOn = true;
    try {
      next.call(decoder, size);
    } finally {
      isGoingOn = false;
    }
  };
  Object.defineProperty(decoder, "_read", {
    get: () => read,
    set: (next: D["_read"]) => {
      read = next === original ? original : goOn(next);
    },
  });
  return decoder;
}
