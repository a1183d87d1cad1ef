/**
 * xz, by the WebAssembly module of the npm package xz-decompress: XZ Embedded with CRC32, CRC64 and files of several
 * streams. The package compiles its module from bytes, which the Workers runtime forbids. So the module is a file
 * here, and this is the glue. `test/verify/xz.test.ts` compares the two.
 */

import { isFalse, isUnverifiable } from "./refusal.ts";

/** The module's functions; see xz-decompress.c of the package. */
interface Exports {
  memory: WebAssembly.Memory;
  create_context(): number;
  destroy_context(context: number): void;
  supply_input(context: number, size: number): void;
  get_next_output(context: number): number;
}

/** `enum xz_ret` of XZ Embedded. */
const XZ_OK = 0;
const XZ_STREAM_END = 1;
const XZ_MEM_ERROR = 3;
/** The module allows a dictionary of 64 MB (1 << 26), the size of xz -9. */
const XZ_MEMLIMIT_ERROR = 4;
const XZ_OPTIONS_ERROR = 6;

/** The context begins with these 32-bit words: buffer size, then input and output, each as address, position, size. */
const BUFFER_BYTES = 0;
const INPUT = 1;
const INPUT_POSITION = 2;
const INPUT_BYTES = 3;
const OUTPUT = 4;
const OUTPUT_POSITION = 5;

/**
 * Bytes of memory with which an instance is kept for the next file: those of a dictionary of xz -6, which Nix writes. A new
 * one makes the runtime collect its garbage first.
 */
const MAX_IDLE_BYTES = 10 * 1024 * 1024;

let module: WebAssembly.Module | undefined;
let idle: Exports | undefined;

async function takeInstance(): Promise<Exports> {
  module ??= (await import("./xz.wasm")).default;
  const exports = idle ?? (new WebAssembly.Instance(module).exports as unknown as Exports);
  idle = undefined;
  return exports;
}

/** Call it after a file that was decoded to its end: after any other the module may be in any state. */
function giveBack(exports: Exports, context: number): void {
  exports.destroy_context(context);
  if (exports.memory.buffer.byteLength <= MAX_IDLE_BYTES) idle = exports;
}

/** Yields pieces that are valid until the next. Throws Refusal for wrong data. */
export async function* unxz(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  // One file at a time in an instance: its memory never shrinks and is freed with it.
  const exports = await takeInstance();
  const context = exports.create_context();
  // Looked up each time: growing the memory replaces the buffer.
  const words = () => new Uint32Array(exports.memory.buffer, context, OUTPUT_POSITION + 1);
  const word = (index: number) => words()[index] ?? 0;
  const capacity = word(BUFFER_BYTES);

  for await (const chunk of input) {
    for (let at = 0; at < chunk.length; at += capacity) yield* decode(chunk.subarray(at, at + capacity));
  }
  // Empty input means the end of the file.
  if ((yield* decode(new Uint8Array())) !== XZ_STREAM_END) throw isFalse("the xz file ends too early");
  giveBack(exports, context);

  /** Consumes the piece and returns the last state. */
  function* decode(piece: Uint8Array): Generator<Uint8Array, number> {
    new Uint8Array(exports.memory.buffer, word(INPUT), capacity).set(piece);
    exports.supply_input(context, piece.length);
    for (;;) {
      const state = exports.get_next_output(context);
      check(state);
      const size = word(OUTPUT_POSITION);
      words()[OUTPUT_POSITION] = 0;
      if (size > 0) yield new Uint8Array(exports.memory.buffer, word(OUTPUT), size);
      if (state === XZ_STREAM_END) return state;
      if (size < capacity && word(INPUT_POSITION) === word(INPUT_BYTES)) return state;
    }
  }
}

function check(state: number): void {
  switch (state) {
    case XZ_OK:
    case XZ_STREAM_END:
      return;
    case XZ_MEM_ERROR:
    case XZ_MEMLIMIT_ERROR:
      throw isUnverifiable("the xz file needs a dictionary of more than 64 MB");
    case XZ_OPTIONS_ERROR:
      throw isUnverifiable("the xz file has a filter or a checksum that is not supported");
    default:
      throw isFalse("the xz file is damaged or not one");
  }
}
