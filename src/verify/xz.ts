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

/** Yields pieces that are valid until the next. Throws Refusal for wrong data. */
export async function* unxz(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const { default: module } = await import("./xz.wasm");
  // One instance per file: its memory never shrinks and is freed with it.
  const exports = new WebAssembly.Instance(module).exports as unknown as Exports;
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
