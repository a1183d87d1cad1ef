// What the buckets hold: real narinfos and a NAR, the same bytes in every bucket.
import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";
import { getPlatformProxy } from "wrangler";
import { encodeNix32 } from "../src/nix/nix32.ts";

export interface StoredObject {
  readonly key: string;
  readonly body: Uint8Array<ArrayBuffer>;
  readonly contentType: string;
}

/** The part of the bucket's binding that filling needs. */
interface Bucket {
  put(
    key: string,
    body: Uint8Array,
    options: { sha256?: Uint8Array; httpMetadata: { contentType: string } },
  ): Promise<unknown>;
}

const STORE_HASH_BYTES = 20;
const REFERENCES = 6;

/** A key under which nothing is stored: 160 random bits. */
export function missingNarInfoKey(): string {
  return `${storeHash()}.narinfo`;
}

/** A NAR as a narinfo with compression would name it: bytes that do not compress, named by their SHA-256. */
export function makeNar(bytes: number): StoredObject {
  const body = new Uint8Array(randomBytes(bytes));
  return { key: `nar/${encodeNix32(sha256(body))}.nar.xz`, body, contentType: "application/x-nix-nar" };
}

/** A narinfo of the size that those of nixpkgs have. */
export function makeNarInfo(): StoredObject {
  const hash = storeHash();
  const fileHash = encodeNix32(randomBytes(32));
  const text = [
    `StorePath: /nix/store/${hash}-example-package-1.2.3`,
    `URL: nar/${fileHash}.nar.xz`,
    "Compression: xz",
    `FileHash: sha256:${fileHash}`,
    "FileSize: 123456",
    `NarHash: sha256:${encodeNix32(randomBytes(32))}`,
    "NarSize: 654321",
    `References: ${Array.from({ length: REFERENCES }, () => `${storeHash()}-example-dependency-4.5.6`).join(" ")}`,
    `Deriver: ${storeHash()}-example-package-1.2.3.drv`,
    `Sig: cache.example.org-1:${randomBytes(64).toString("base64")}`,
    "",
  ].join("\n");
  return { key: `${hash}.narinfo`, body: new TextEncoder().encode(text), contentType: "text/x-nix-narinfo" };
}

/** Puts objects into the local bucket that `wrangler dev --persist-to stateDir` of this configuration will serve. */
export async function fillBucket(
  config: string,
  stateDir: string,
  objects: readonly StoredObject[],
): Promise<void> {
  const proxy = await getPlatformProxy<{ BUCKET: Bucket }>({
    configPath: config,
    persist: { path: join(stateDir, "v3") },
    remoteBindings: false,
  });
  try {
    for (const { key, body, contentType } of objects) {
      const options = { sha256: sha256(body), httpMetadata: { contentType } };
      await proxy.env.BUCKET.put(key, body, options);
    }
  } finally {
    await proxy.dispose();
  }
}

function storeHash(): string {
  return encodeNix32(randomBytes(STORE_HASH_BYTES));
}

function sha256(body: Uint8Array): Uint8Array {
  return createHash("sha256").update(body).digest();
}
