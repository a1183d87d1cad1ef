// The objects of requests: NARs and narinfos that are real in form and random in content.
import { createHash, randomBytes } from "node:crypto";
import { encodeNix32 } from "../src/nix/nix32.ts";
import { NAR_FRAME_BYTES, narFrame } from "../test/support/nar.ts";

export interface StoredObject {
  readonly key: string;
  /** Concatenated they are the object. */
  readonly body: readonly Uint8Array[];
  readonly bytes: number;
  /** Of the whole, lower-case hex. */
  readonly sha256: string;
}

const STORE_HASH_BYTES = 20;
const REFERENCES = 6;
const BLOCK_BYTES = 1_000_000;

/** One block for all NARs: making new random bytes for each would take longer than storing them. */
const BLOCK = randomBytes(BLOCK_BYTES);

/** A key under which nothing is stored: 160 random bits. */
export function missingNarInfoKey(): string {
  return `${storeHash()}.narinfo`;
}

/** Random bytes that tell NARs apart. */
const SALT_BYTES = 32;

/** The NAR of a file without compression, named by its SHA-256; no two are the same. `bytes` is a multiple of 8. */
export function makeNar(bytes: number): StoredObject {
  const { head, tail } = narFrame(bytes - NAR_FRAME_BYTES);
  const body: Uint8Array[] = [head, randomBytes(SALT_BYTES)];
  let left = bytes - NAR_FRAME_BYTES - SALT_BYTES;
  for (; left > 0; left -= BLOCK_BYTES) body.push(BLOCK.subarray(0, left));
  body.push(tail);
  const hash = createHash("sha256");
  for (const part of body) hash.update(part);
  const digest = hash.digest();
  return { key: `nar/${encodeNix32(digest)}.nar`, body, bytes, sha256: digest.toString("hex") };
}

/** A narinfo of the size that those of nixpkgs have, of a new path with this NAR. */
export function makeNarInfo(nar: StoredObject, references: readonly string[] = []): StoredObject {
  const baseName = `${storeHash()}-example-package-1.2.3`;
  const text = [
    `StorePath: /nix/store/${baseName}`,
    `URL: ${nar.key}`,
    "Compression: none",
    `FileHash: sha256:${nar.sha256}`,
    `FileSize: ${nar.bytes}`,
    `NarHash: sha256:${nar.sha256}`,
    `NarSize: ${nar.bytes}`,
    `References: ${references.slice(-REFERENCES).join(" ")}`,
    `Deriver: ${storeHash()}-example-package-1.2.3.drv`,
    `Sig: cache.example.org-1:${randomBytes(64).toString("base64")}`,
    "",
  ].join("\n");
  return textObject(`${baseName.slice(0, 32)}.narinfo`, text);
}

/** Narinfos of a row of paths with one NAR, each of which refers to the ones before it. */
export function makeNarInfos(count: number, nar: StoredObject): StoredObject[] {
  const references: string[] = [];
  return Array.from({ length: count }, () => {
    const narInfo = makeNarInfo(nar, references);
    references.push(`${narInfo.key.slice(0, 32)}-example-package-1.2.3`);
    return narInfo;
  });
}

export function textObject(key: string, text: string): StoredObject {
  const body = new TextEncoder().encode(text);
  return {
    key,
    body: [body],
    bytes: body.length,
    sha256: createHash("sha256").update(body).digest("hex"),
  };
}

export function storeHash(): string {
  return encodeNix32(randomBytes(STORE_HASH_BYTES));
}
