// The NAR of a file tree on this disk, made without Nix, so that a pulled path can be compared by a
// second opinion. Format: https://nix.dev/manual/nix/latest/protocols/nix-archive
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** The serialisation of `path`. */
export function dumpNar(path: string): Buffer {
  const parts: Buffer[] = [];
  text(parts, "nix-archive-1");
  node(parts, path);
  return Buffer.concat(parts);
}

/** The SRI SHA-256 of the NAR of `path`, as `nix path-info --json` prints narHash. */
export function narHash(path: string): string {
  return `sha256-${createHash("sha256").update(dumpNar(path)).digest("base64")}`;
}

function node(out: Buffer[], path: string): void {
  const stat = lstatSync(path);
  text(out, "(", "type");
  if (stat.isSymbolicLink()) {
    text(out, "symlink", "target", readlinkSync(path));
  } else if (stat.isDirectory()) {
    text(out, "directory");
    // Byte order, which is what sort() gives for the ASCII names used here.
    for (const name of readdirSync(path).sort()) {
      text(out, "entry", "(", "name", name, "node");
      node(out, join(path, name));
      text(out, ")");
    }
  } else {
    text(out, "regular");
    if (stat.mode & 0o100) text(out, "executable", "");
    text(out, "contents");
    bytes(out, readFileSync(path));
  }
  text(out, ")");
}

function text(out: Buffer[], ...words: string[]): void {
  for (const word of words) bytes(out, Buffer.from(word));
}

/** A NAR string: its length as 64 bits little endian, itself, zeros up to a multiple of eight. */
function bytes(out: Buffer[], data: Buffer): void {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.length));
  out.push(length, data, Buffer.alloc((8 - (data.length % 8)) % 8));
}
