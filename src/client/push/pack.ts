// From a store path to what is uploaded: compressed and hashed while it streams, and compared with the store's NarHash.
import { createHash } from "node:crypto";
import { join } from "node:path";
import { equalHash, type Hash } from "../../nix/hash.ts";
import { narKeyOfHash } from "../../nix/nar-url.ts";
import { Failure } from "../ground/failure.ts";
import { cacheDir, type Env } from "../settings/locations.ts";
import type { PathInfo } from "../store/path-info.ts";
import { readNar } from "../store/read-nar.ts";
import { type Compression, compress } from "./compression.ts";
import { listingReader } from "./listing.ts";
import { openSpool, type Spool } from "./spool.ts";

export interface Packed {
  /** `nar/<hash>.nar.zst`. */
  readonly key: string;
  readonly fileHash: Hash;
  /** The compressed NAR; close it. */
  readonly spool: Spool;
  /** The listing as Nix writes it, where there can be one. */
  readonly listing: string | undefined;
}

/** Throws {@link Failure} where the files are not what the store says: a damaged store must not reach the cache. */
export async function pack(info: PathInfo, compression: Compression, env: Env): Promise<Packed> {
  const narHash = createHash("sha256");
  const fileHash = createHash("sha256");
  const listing = listingReader();
  const spool = openSpool(join(cacheDir(env), "spool"));
  async function* hashed() {
    for await (const chunk of readNar(info.path, env)) {
      narHash.update(chunk);
      listing.push(chunk);
      yield chunk;
    }
  }
  try {
    for await (const chunk of compress(hashed(), compression)) {
      fileHash.update(chunk);
      spool.write(chunk);
    }
    const bytes = new Uint8Array(narHash.digest());
    if (!equalHash({ algorithm: "sha256", bytes }, info.narHash)) {
      throw new Failure(
        "failed",
        `${info.path} is damaged: its files are not those that the store has registered; repair it: nix-store --repair-path ${info.path}`,
      );
    }
    const hash: Hash = { algorithm: "sha256", bytes: new Uint8Array(fileHash.digest()) };
    return { key: narKeyOfHash(hash, compression.method), fileHash: hash, spool, listing: listing.end() };
  } catch (error) {
    spool.close();
    throw error;
  }
}
