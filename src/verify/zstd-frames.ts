/**
 * The frames of a zstd file, one by one. The decoder of the runtime stops at the end of a frame and drops the rest of
 * the piece, so no piece here extends beyond a frame. Skippable frames are left out. Format: RFC 8878, section 3.1.
 */

import { isFalse, isUnverifiable } from "./refusal.ts";

/** The decoder holds a window and a few hundred KB; zstd -19 makes 8 MB, --ultra -22 128 MB. */
const MAX_WINDOW_BYTES = 64 * 1024 * 1024;
const MAGIC = 0xfd2fb528;
const MAGIC_PIECE = Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd);
/** Its last four bits are free. */
const SKIPPABLE_MAGIC = 0x184d2a50;
const WORD_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
/** In the frame header, by two bits of its descriptor. */
const DICTIONARY_ID_BYTES = [0, 1, 2, 4] as const;
const CONTENT_SIZE_BYTES = [0, 2, 4, 8] as const;

/** The next bytes, at least one: a number to parse, or data to pass on. */
interface Step {
  bytes: number;
  isNumber: boolean;
  /** Not for the decoder. */
  isSkipped: boolean;
  beginsFrame?: boolean;
}

const MAGIC_STEP: Step = { bytes: WORD_BYTES, isNumber: true, isSkipped: true, beginsFrame: true };
const number = (bytes: number): Step => ({ bytes, isNumber: true, isSkipped: false });
const data = (bytes: number): Step => ({ bytes, isNumber: false, isSkipped: false });

/** Yields the frames in pieces, which are valid until the next. Throws Refusal. */
export async function* zstdFrames(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const steps = walk();
  let step = steps.next(0).value;
  let done = 0;
  let value = 0;
  for await (const chunk of input) {
    /** The bytes from here on have not been yielded. */
    let run = 0;
    for (let at = 0; at < chunk.length; ) {
      const end = Math.min(at + step.bytes - done, chunk.length);
      for (; at < end; at++, done++) {
        if (!step.isNumber) {
          done += end - at;
          at = end;
          break;
        }
        value += (chunk[at] ?? 0) * 2 ** (8 * done);
      }
      if (step.isSkipped) run = at;
      if (done < step.bytes) continue;
      const finished = step;
      step = steps.next(value).value;
      done = 0;
      value = 0;
      if (finished.beginsFrame && !step.isSkipped) yield MAGIC_PIECE;
      if (step.beginsFrame && run < at) yield chunk.subarray(run, at);
      if (step.beginsFrame) run = at;
    }
    if (run < chunk.length) yield chunk.subarray(run);
  }
  if (!step.beginsFrame || done > 0) throw isFalse("the zstd file ends too early");
}

/** Yields steps; after the step of a number it is resumed with the number. */
function* walk(): Generator<Step, never, number> {
  for (;;) {
    const magic = yield MAGIC_STEP;
    if (magic - (magic % 16) === SKIPPABLE_MAGIC) {
      const bytes = yield { bytes: WORD_BYTES, isNumber: true, isSkipped: true };
      if (bytes > 0) yield { bytes, isNumber: false, isSkipped: true };
    } else if (magic === MAGIC) {
      yield* frame();
    } else {
      throw isFalse("it is not a zstd file, or there are bytes after the end of one");
    }
  }
}

function* frame(): Generator<Step, void, number> {
  const descriptor = yield number(1);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  let window = isSingleSegment ? 0 : windowSize(yield number(1));
  const idBytes = DICTIONARY_ID_BYTES[(descriptor & 3) as 0 | 1 | 2 | 3];
  if (idBytes > 0 && (yield number(idBytes)) !== 0) throw isUnverifiable("the zstd file needs a dictionary");
  const sizeBytes = CONTENT_SIZE_BYTES[(descriptor >> 6) as 0 | 1 | 2 | 3];
  if (isSingleSegment) window = yield number(sizeBytes || 1);
  else if (sizeBytes > 0) yield number(sizeBytes);
  if (window > MAX_WINDOW_BYTES) throw isUnverifiable("the zstd file needs a window of more than 64 MB");
  for (let isLast = false; !isLast; ) {
    const header = yield number(BLOCK_HEADER_BYTES);
    isLast = (header & 1) !== 0;
    // A block of one repeated byte (type 1) contains only that byte.
    const bytes = ((header >> 1) & 3) === 1 ? 1 : header >> 3;
    if (bytes > 0) yield data(bytes);
  }
  if (hasChecksum) yield data(WORD_BYTES);
}

function windowSize(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3));
  return base + (base / 8) * (descriptor & 7);
}
