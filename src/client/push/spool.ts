// The compressed NAR until its hash, which is its name, is known: in memory while it is small, in a file after that.
import { closeSync, mkdirSync, openSync, readSync, unlinkSync, writeSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";

export interface Spool {
  write(chunk: Buffer): void;
  /** Bytes so far. */
  readonly size: number;
  /** Bytes from `start` up to `end`, which is not included. */
  read(start: number, end: number): Readable;
  close(): void;
}

/** Times the number of jobs, this is the memory that NARs take. */
const MAX_IN_MEMORY = 4 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

let count = 0;

/** Its file, in `dir`, has no name any more: nothing of it stays if this process is killed. */
export function openSpool(dir: string): Spool {
  let chunks: Buffer[] = [];
  let size = 0;
  let descriptor: number | undefined;
  return {
    write(chunk) {
      size += chunk.length;
      if (descriptor === undefined && size <= MAX_IN_MEMORY) {
        chunks.push(chunk);
        return;
      }
      descriptor ??= openUnnamed(dir);
      for (const piece of [...chunks, chunk]) writeAll(descriptor, piece);
      chunks = [];
    },
    get size() {
      return size;
    },
    read(start, end) {
      if (descriptor === undefined) return Readable.from([Buffer.concat(chunks).subarray(start, end)]);
      return Readable.from(piecesOf(descriptor, start, end));
    },
    close() {
      chunks = [];
      if (descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
}

/** Node's own stream of a file would close the descriptor when a request is broken off. */
function* piecesOf(descriptor: number, start: number, end: number): Generator<Buffer> {
  for (let at = start; at < end; ) {
    const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, end - at));
    const read = readSync(descriptor, piece, 0, piece.length, at);
    if (read === 0) throw new Error("the file of a NAR on its way is shorter than it was");
    at += read;
    yield piece.subarray(0, read);
  }
}

function openUnnamed(dir: string): number {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  count += 1;
  const file = join(dir, `nar-${process.pid}-${count}`);
  const descriptor = openSync(file, "wx+", 0o600);
  unlinkSync(file);
  return descriptor;
}

function writeAll(descriptor: number, bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
}
