// BLAKE3 with 32 bytes of output and without a key.
// https://github.com/BLAKE3-team/BLAKE3-specs/blob/master/blake3.pdf, sections 2 and 5.1

const BLOCK_BYTES = 64;
const BLOCKS_PER_CHUNK = 16;
const ROUNDS = 7;

const IV = Uint32Array.of(
  ...[0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19],
);

/** The words of a block in the order in which the next round takes them. */
const PERMUTATION = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/** The words of the state that a round mixes together: its columns, then its diagonals. */
const MIXED = Uint8Array.of(
  ...[0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  ...[0, 5, 10, 15, 1, 6, 11, 12, 2, 7, 8, 13, 3, 4, 9, 14],
);

/** The words of a block as all rounds take them, one after another. */
const SCHEDULE = Uint8Array.from({ length: ROUNDS * 16 }, (_, at) => {
  let word = at % 16;
  for (let round = Math.floor(at / 16); round > 0; round--) word = PERMUTATION[word] ?? 0;
  return word;
});

/** Flags of a compression. */
const CHUNK_START = 1;
const CHUNK_END = 2;
const PARENT = 4;
const ROOT = 8;

interface Progress {
  /** Of the current chunk. */
  chaining: Uint32Array<ArrayBuffer>;
  /** The last bytes, which are compressed once it is known whether more follow. */
  readonly block: Uint8Array;
  filled: number;
  /** Of the current chunk, compressed. */
  blocks: number;
  /** Complete ones. */
  chunks: number;
  /** The roots of complete subtrees, the largest first: one for each bit that is set in the number of chunks. */
  readonly subtrees: Uint32Array[];
}

export interface Blake3 {
  update(bytes: Uint8Array): void;
  /** Ends the input. */
  digest(): Uint8Array;
  /** Another with the same input until now. */
  copy(): Blake3;
}

/** Hashes its input in pieces. Chunks of 1024 bytes are the leaves of a binary tree. */
export function blake3(): Blake3 {
  return hasherFrom({
    chaining: IV.slice(),
    block: new Uint8Array(BLOCK_BYTES),
    filled: 0,
    blocks: 0,
    chunks: 0,
    subtrees: [],
  });
}

function hasherFrom(progress: Progress): Blake3 {
  return {
    update(bytes) {
      for (let at = 0; at < bytes.length; ) {
        if (progress.filled === BLOCK_BYTES) endBlock(progress);
        const piece = bytes.subarray(at, at + BLOCK_BYTES - progress.filled);
        progress.block.set(piece, progress.filled);
        progress.filled += piece.length;
        at += piece.length;
      }
    },
    digest() {
      const { block, filled, subtrees } = progress;
      block.fill(0, filled);
      compressBlock(progress, CHUNK_END | (subtrees.length === 0 ? ROOT : 0));
      const root = subtrees.reduceRight(
        (node, left, index) => parent(left, node, index === 0 ? ROOT : 0),
        progress.chaining,
      );
      return new Uint8Array(root.buffer);
    },
    copy: () => hasherFrom(structuredClone(progress)),
  };
}

function endBlock(progress: Progress): void {
  const isLast = progress.blocks === BLOCKS_PER_CHUNK - 1;
  compressBlock(progress, isLast ? CHUNK_END : 0);
  progress.blocks++;
  progress.filled = 0;
  if (isLast) endChunk(progress);
}

function endChunk(progress: Progress): void {
  progress.chunks++;
  let node = progress.chaining;
  for (let size = 2; progress.chunks % size === 0; size *= 2) {
    node = parent(progress.subtrees.pop() ?? IV, node, 0);
  }
  progress.subtrees.push(node);
  progress.chaining = IV.slice();
  progress.blocks = 0;
}

function compressBlock({ chaining, block, filled, blocks, chunks }: Progress, flags: number): void {
  compress(chaining, block, chunks, filled, blocks === 0 ? flags | CHUNK_START : flags);
}

function parent(left: Uint32Array, right: Uint32Array, flags: number): Uint32Array<ArrayBuffer> {
  const node = IV.slice();
  const block = new Uint8Array(Uint32Array.of(...left, ...right).buffer);
  compress(node, block, 0, BLOCK_BYTES, flags | PARENT);
  return node;
}

const state = new Uint32Array(16);

/** Replaces the chaining value. Words are little-endian, as they are on every machine that runs JavaScript here. */
function compress(
  chaining: Uint32Array,
  { buffer }: Uint8Array,
  counter: number,
  length: number,
  flags: number,
): void {
  const words = new Uint32Array(buffer);
  state.set(chaining);
  state.set(IV.subarray(0, 4), 8);
  state.set([counter, counter / 2 ** 32, length, flags], 12);
  for (let at = 0; at < SCHEDULE.length; at += 2) {
    mix((2 * at) % MIXED.length, words[SCHEDULE[at] ?? 0] ?? 0, words[SCHEDULE[at + 1] ?? 0] ?? 0);
  }
  for (let at = 0; at < chaining.length; at++) chaining[at] = (state[at] ?? 0) ^ (state[at + 8] ?? 0);
}

/** Mixes two words of the block into the four words of the state that MIXED has from `at` on. */
function mix(at: number, x: number, y: number): void {
  const ia = MIXED[at] ?? 0;
  const ib = MIXED[at + 1] ?? 0;
  const ic = MIXED[at + 2] ?? 0;
  const id = MIXED[at + 3] ?? 0;
  let a = state[ia] ?? 0;
  let b = state[ib] ?? 0;
  let c = state[ic] ?? 0;
  let d = state[id] ?? 0;
  a = (a + b + x) | 0;
  d = rotated(d ^ a, 16);
  c = (c + d) | 0;
  b = rotated(b ^ c, 12);
  a = (a + b + y) | 0;
  d = rotated(d ^ a, 8);
  c = (c + d) | 0;
  b = rotated(b ^ c, 7);
  state[ia] = a;
  state[ib] = b;
  state[ic] = c;
  state[id] = d;
}

/** To the right, by a number of bits. */
function rotated(word: number, bits: number): number {
  return (word >>> bits) | (word << (32 - bits));
}
