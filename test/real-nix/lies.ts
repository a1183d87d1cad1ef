// Paths whose narinfo and NAR do not say the same: what a builder with a broken disk pushes, or an attacker.
import { createHash, randomBytes } from "node:crypto";
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { storePathOfContentAddress } from "../../src/nix/content-address.ts";
import { fingerprint } from "../../src/nix/fingerprint.ts";
import type { Hash, HashAlgorithm } from "../../src/nix/hash.ts";
import { parseSecretKey, sign } from "../../src/nix/keys.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { putTo } from "./pushed.ts";

/** More than the Worker unpacks while a client waits for the answer of a publication. */
export const LARGE_BYTES = 3_000_000;

const BROTLI = { [constants.BROTLI_PARAM_QUALITY]: 5 };
const COMPRESSORS = {
  none: { ending: ".nar", compress: (nar: Buffer) => nar },
  zstd: { ending: ".nar.zst", compress: (nar: Buffer) => zstdCompressSync(nar) },
  gzip: { ending: ".nar", compress: (nar: Buffer) => gzipSync(nar) },
  // By default it takes four seconds for a large one.
  br: { ending: ".nar.br", compress: (nar: Buffer) => brotliCompressSync(nar, { params: BROTLI }) },
} as const;
export type Compression = keyof typeof COMPRESSORS;

/** The NAR of a regular file. */
export function narOfFile(contents: Buffer | string): Buffer {
  const parts: Buffer[] = [];
  const add = (data: Buffer | string) => {
    const bytes = Buffer.from(data as string);
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(bytes.length));
    parts.push(length, bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8));
  };
  for (const word of ["nix-archive-1", "(", "type", "regular", "contents"]) add(word);
  add(contents);
  add(")");
  return Buffer.concat(parts);
}

export function hashOf(data: Buffer | string, algorithm: HashAlgorithm = "sha256"): Hash {
  return { algorithm, bytes: new Uint8Array(createHash(algorithm).update(data).digest()) };
}

export interface Lie {
  /** The path's narinfo; its FileHash and FileSize are those of `file`, whatever else is false. */
  readonly info: NarInfo;
  /** What is uploaded under `info.url`. */
  readonly file: Buffer;
}

/** An honest input-addressed path of these contents; `changes` make it a lie. */
export function pathOf(
  contents: Buffer | string,
  compression: Compression = "zstd",
  changes: Partial<NarInfo> = {},
): Lie {
  const nar = narOfFile(contents);
  const { ending, compress } = COMPRESSORS[compression];
  const file = compress(nar);
  const hash = encodeNix32(randomBytes(20));
  const fileHash = hashOf(file);
  return {
    file,
    info: {
      storePath: { storeDir: "/nix/store", hash, name: "lie-1.0", baseName: `${hash}-lie-1.0` },
      url: `nar/${encodeNix32(fileHash.bytes)}${ending}`,
      compression,
      fileHash,
      fileSize: file.length,
      narHash: hashOf(nar),
      narSize: nar.length,
      references: [],
      signatures: [],
      extra: [],
      ...changes,
    },
  };
}

/** The path that has the content address of `real`, with the NAR of `evil`. */
export async function laundered(ca: string, evil: Lie, references: readonly string[] = []): Promise<Lie> {
  const name = `fetched-${encodeNix32(randomBytes(5))}`;
  const baseName = await storePathOfContentAddress(ca, name, [...references], "/nix/store");
  if (baseName === undefined) throw new Error(`${ca} is no content address`);
  const storePath = { storeDir: "/nix/store", hash: baseName.slice(0, 32), name, baseName };
  return { ...evil, info: { ...evil.info, storePath, ca, references: [...references] } };
}

export async function signedBy(secret: string, lie: Lie): Promise<Lie> {
  const signature = await sign(await parseSecretKey(secret), fingerprint(lie.info));
  return { ...lie, info: { ...lie.info, signatures: [...lie.info.signatures, signature] } };
}

/** Uploads the NAR and then the narinfo: the status of the latter, and its answer. */
export async function push(
  url: string,
  { info, file }: Lie,
  text = formatNarInfo(info),
): Promise<{ readonly status: number; readonly answer: string }> {
  await putTo(url, `/${info.url}`, file as Buffer<ArrayBuffer>);
  const response = await fetch(`${url}/${info.storePath.hash}.narinfo`, {
    method: "PUT",
    body: text,
    headers: { Authorization: "Bearer push" },
  });
  return { status: response.status, answer: await response.text() };
}
