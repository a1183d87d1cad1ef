/** Store paths that were never built: the NAR of a file of any contents and the narinfo that belongs to it. */

import { env } from "cloudflare:workers";
import { zstdCompressSync } from "node:zlib";
import type { Hash } from "../../src/nix/hash.ts";
import { formatNarInfo, type NarInfo } from "../../src/nix/narinfo.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { storePathOfBaseName } from "../../src/nix/store-path.ts";
import type { Answer, TestCache } from "./cache.ts";
import { narOfFile } from "./nar.ts";

export interface TestPath {
  /** `<hash>.narinfo` */
  readonly key: string;
  /** `nar/<hash>.nar` */
  readonly narKey: string;
  readonly nar: Uint8Array<ArrayBuffer>;
  readonly info: NarInfo;
  /** The narinfo as text. */
  readonly text: string;
}

export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<Hash> {
  return { algorithm: "sha256", bytes: new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)) };
}

export function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text) as Uint8Array<ArrayBuffer>;
}

/** The name that a NAR of these bytes must have. */
export async function narKeyOf(nar: Uint8Array<ArrayBuffer>, ending = ".nar"): Promise<string> {
  return `nar/${encodeNix32((await sha256(nar)).bytes)}${ending}`;
}

/**
 * The store path `<hash>-<name>` of a file, its NAR not compressed. The hash follows from the name alone,
 * so that other contents give another build of the same path.
 */
export async function testPath(
  name = "hello-1.0",
  contents = `the NAR of ${name}`,
  changes: Partial<NarInfo> = {},
): Promise<TestPath> {
  const hash = encodeNix32((await sha256(bytesOf(name))).bytes.slice(0, 20));
  return pathOfNar(narOfFile(bytesOf(contents)), `${hash}-${name}`, changes);
}

/** The store path of this base name with this NAR, which is not compressed. */
export async function pathOfNar(
  nar: Uint8Array<ArrayBuffer>,
  baseName: string,
  changes: Partial<NarInfo> = {},
): Promise<TestPath> {
  const storePath = storePathOfBaseName(baseName, "/nix/store");
  const narHash = await sha256(nar);
  const info: NarInfo = {
    storePath,
    url: await narKeyOf(nar),
    compression: "none",
    fileHash: narHash,
    fileSize: nar.length,
    narHash,
    narSize: nar.length,
    references: [baseName],
    signatures: [],
    extra: [],
    ...changes,
  };
  return { key: `${storePath.hash}.narinfo`, narKey: info.url, nar, info, text: formatNarInfo(info) };
}

/** A path whose NAR is compressed with zstd. */
export async function compressedPath(name: string, contents = `an archive ${name}`): Promise<TestPath> {
  return compressed(await testPath(name, contents));
}

/** The same path with the same content, compressed with zstd. */
export async function compressed({ key, nar, info: plain }: TestPath): Promise<TestPath> {
  const file = new Uint8Array(zstdCompressSync(nar));
  const info: NarInfo = {
    ...plain,
    url: await narKeyOf(file, ".nar.zst"),
    compression: "zstd",
    fileHash: await sha256(file),
    fileSize: file.length,
  };
  return { key, narKey: info.url, nar: file, info, text: formatNarInfo(info) };
}

/** Pushes the NAR, then the narinfo: the answer to the latter. */
export async function push(cache: TestCache, path: TestPath, text = path.text): Promise<Answer> {
  await cache.put(`/${path.narKey}`, path.nar);
  return cache.put(`/${path.key}`, text);
}

/** Puts a NAR into the bucket as other tools do: R2 has no SHA-256 for it. */
export async function storeWithoutChecksum(key: string, nar: Uint8Array<ArrayBuffer>): Promise<void> {
  await env.BUCKET.put(key, nar);
}
