// Writing the NAR of a file tree (dumpPath in Nix's libutil/archive.cc). A program for each path, as `nix-store --dump`
// is, would take longer than most NARs; the caller compares the hash with the store's, so that an error cannot go on.
import { closeSync, fstatSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { platform } from "node:process";

/** Chunks are of at least this many bytes, except for the last, and of twice as many at most. */
const CHUNK_BYTES = 256 * 1024;
const EXECUTABLE = 0o100;
/** On file systems that ignore case Nix appends this to names (`use-case-hack`). */
const CASE_HACK = "~nix~case~hack~";

/** The chunks of the NAR. Throws Node's errors. */
export function* dumpNar(path: string): Generator<Buffer> {
  let pending: Buffer[] = [];
  let size = 0;
  for (const piece of pieces(path)) {
    pending.push(piece);
    size += piece.length;
    if (size < CHUNK_BYTES) continue;
    yield pending.length === 1 && pending[0] ? pending[0] : Buffer.concat(pending);
    pending = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pending);
}

function* pieces(path: string): Generator<Buffer> {
  yield words("nix-archive-1");
  yield* node(Buffer.from(path));
}

function* node(path: Buffer): Generator<Buffer> {
  const stats = lstatSync(path);
  if (stats.isFile()) {
    yield* file(path);
  } else if (stats.isDirectory()) {
    yield words("(", "type", "directory");
    for (const { name, onDisk } of entriesOf(path)) {
      yield words("entry", "(", "name", name, "node");
      yield* node(Buffer.concat([path, SLASH, onDisk]));
      yield words(")");
    }
    yield words(")");
  } else if (stats.isSymbolicLink()) {
    yield words("(", "type", "symlink", "target", readlinkSync(path, { encoding: "buffer" }), ")");
  } else {
    throw new Error(`${path} is neither a file nor a directory nor a symlink`);
  }
}

const SLASH = Buffer.from("/");

function entriesOf(path: Buffer): { name: Buffer; onDisk: Buffer }[] {
  return readdirSync(path, { encoding: "buffer" })
    .map((onDisk) => ({ onDisk, name: withoutCaseHack(onDisk) }))
    .sort((a, b) => Buffer.compare(a.name, b.name));
}

function withoutCaseHack(name: Buffer): Buffer {
  const at = platform === "darwin" ? name.lastIndexOf(CASE_HACK) : -1;
  return at === -1 ? name : name.subarray(0, at);
}

function* file(path: Buffer): Generator<Buffer> {
  const descriptor = openSync(path, "r");
  try {
    const { mode, size } = fstatSync(descriptor);
    const executable = (mode & EXECUTABLE) === 0 ? [] : ["executable", ""];
    yield words("(", "type", "regular", ...executable, "contents");
    yield lengthOf(size);
    for (let left = size; left > 0; ) {
      const chunk = Buffer.allocUnsafe(Math.min(left, CHUNK_BYTES));
      const read = readSync(descriptor, chunk);
      if (read === 0) throw new Error(`${path} became shorter while it was read`);
      left -= read;
      yield read === chunk.length ? chunk : chunk.subarray(0, read);
    }
    yield Buffer.concat([padding(size), words(")")]);
  } finally {
    closeSync(descriptor);
  }
}

/** Each with its length before it, padded to a multiple of eight. */
function words(...texts: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    texts.flatMap((text) => {
      const bytes = typeof text === "string" ? Buffer.from(text) : text;
      return [lengthOf(bytes.length), bytes, padding(bytes.length)];
    }),
  );
}

function lengthOf(size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(size));
  return bytes;
}

function padding(size: number): Buffer {
  return Buffer.alloc((8 - (size % 8)) % 8);
}
