/** Reads a stream in large pieces: the runtime's own have 4 KB, which is slow. */

const PIECE_BYTES = 64 * 1024;

/** Yields pieces that are valid until the next. Cancels the stream when no more of them are wanted. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = byobReader(stream);
  // A stream made in JavaScript gives its own chunks.
  if (reader === undefined) return yield* stream;
  let buffer: Uint8Array<ArrayBuffer> = new Uint8Array(PIECE_BYTES);
  let hasEnded = false;
  try {
    for (;;) {
      const { value, done } = await reader.readAtLeast(PIECE_BYTES, buffer);
      hasEnded = done;
      if (value !== undefined && value.length > 0) yield value;
      if (done || value === undefined) return;
      buffer = new Uint8Array(value.buffer);
    }
  } catch (error) {
    hasEnded = true;
    throw error;
  } finally {
    if (!hasEnded) await reader.cancel();
    reader.releaseLock();
  }
}

function byobReader(stream: ReadableStream<Uint8Array>): ReadableStreamBYOBReader | undefined {
  try {
    return stream.getReader({ mode: "byob" });
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}
