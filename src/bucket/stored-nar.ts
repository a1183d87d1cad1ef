// Checks that the NAR of a narinfo is in the bucket, whole and with the right hash.
import type { RecentNar } from "../contract/uploads.ts";
import { equalHash, formatHash, type Hash } from "../nix/hash.ts";
import { narPlaceOf } from "../nix/nar-url.ts";
import type { NarInfo } from "../nix/narinfo.ts";
import { MAX_SINGLE_PUT_BYTES } from "./kinds.ts";
import { narKeySha256, sha256Of } from "./nar-object.ts";
import { BAD_DIGEST, bucketFailure, bucketOperation, r2Code } from "./operation.ts";

export interface WholeNar {
  readonly kind: "whole";
  /** Absent where the object has no recorded checksum and none was asked for. */
  readonly fileHash?: Hash;
  /** Bytes. */
  readonly fileSize: number;
  /** R2's, without quotes. */
  readonly etag: string;
  /** As many of its first bytes as were asked for; all of them where the file is not longer. */
  readonly first: Uint8Array;
}

export type NarState =
  | WholeNar
  /** `reason` finishes the sentence "the NAR KEY ...". */
  | { readonly kind: "broken"; readonly key: string; readonly reason: string };

export interface Inspection {
  /** Hash an object without a recorded checksum even if the narinfo has a FileHash to go by. */
  readonly hashUnknown: boolean;
  /** First bytes to read. */
  readonly firstBytes: number;
}

/**
 * Inspects the NAR of a narinfo: one class B operation. An object without a recorded checksum (multipart uploads, other
 * tools) is hashed once where that is wanted, which costs a class B and a class A operation more; an empty object, which
 * is no NAR, costs another class B operation.
 */
export async function inspectNar(
  bucket: R2Bucket,
  info: NarInfo,
  { hashUnknown, firstBytes }: Inspection,
): Promise<NarState> {
  const key = narPlaceOf(info.url).key;
  const broken = (reason: string): NarState => ({ kind: "broken", key, reason });
  const found = await readStart(bucket, key, firstBytes);
  if (found === undefined) return broken("is not in this cache");
  const { object, first } = found;
  const whole = { kind: "whole", fileSize: object.size, etag: object.etag, first } as const;
  const contradiction = narContradiction(object, info);
  if (contradiction !== undefined) return broken(contradiction);
  const recorded = recordedSha256(object);
  if (recorded === undefined && !hashUnknown && info.fileHash !== undefined) {
    return whole;
  }
  const hashed =
    recorded === undefined
      ? await hashOnce(bucket, key, object, info.fileHash)
      : { fileHash: recorded, etag: object.etag };
  if (hashed === undefined) return broken("was replaced or deleted at this moment");
  const wrongHash = hashContradiction(hashed.fileHash, info);
  if (wrongHash !== undefined) return broken(wrongHash);
  return { ...whole, ...hashed };
}

/** The NAR of a narinfo as its upload has just left it; `undefined` where they contradict each other. No operation. */
export function recentNar({ size, sha256, etag, first }: RecentNar, info: NarInfo): WholeNar | undefined {
  const fileHash: Hash = { algorithm: "sha256", bytes: Uint8Array.fromHex(sha256) };
  if ((info.fileSize ?? size) !== size || hashContradiction(fileHash, info) !== undefined) return undefined;
  return { kind: "whole", fileHash, fileSize: size, etag, first };
}

/** The object and its first bytes, in one class B operation. */
async function readStart(
  bucket: R2Bucket,
  key: string,
  length: number,
): Promise<{ readonly object: R2Object; readonly first: Uint8Array } | undefined> {
  if (length === 0) {
    const object = await bucketOperation("head", () => bucket.head(key));
    return object === null ? undefined : { object, first: new Uint8Array() };
  }
  try {
    return await bucketOperation("get", async () => {
      const object = await bucket.get(key, { range: { offset: 0, length } });
      return object === null ? undefined : { object, first: await object.bytes() };
    });
  } catch (error) {
    // An empty object has no range at all.
    const object = await bucket.head(key).catch(() => null);
    if (object?.size === 0) return { object, first: new Uint8Array() };
    throw error;
  }
}

/**
 * A contradiction between the NAR's object and its narinfo; finishes the sentence "the NAR KEY ...".
 * `undefined` where they agree, as far as the bucket has recorded anything.
 */
export function narContradiction(object: R2Object, info: NarInfo): string | undefined {
  if (info.fileSize !== undefined && object.size !== info.fileSize) {
    return `has ${object.size} bytes, not ${info.fileSize}`;
  }
  const recorded = recordedSha256(object);
  return recorded && hashContradiction(recorded, info);
}

function hashContradiction(found: Hash, info: NarInfo): string | undefined {
  const expected = info.fileHash;
  // A FileHash of another algorithm, which only other tools write, cannot be compared.
  if (expected === undefined || expected.algorithm !== found.algorithm || equalHash(found, expected))
    return undefined;
  return `has the hash ${formatHash(found)}, not ${formatHash(expected)}`;
}

function recordedSha256(object: R2Object): Hash | undefined {
  const sha256 = sha256Of(object);
  return sha256 === undefined ? undefined : { algorithm: "sha256", bytes: Uint8Array.fromHex(sha256) };
}

/**
 * The hash of an object without a recorded one. If the expected hash is known, the bucket checks and records it by a
 * put of the object onto itself: no byte passes through JavaScript, and the hash is recorded for later. With the
 * etag of the object that is there then; `undefined` if the object has changed meanwhile.
 */
async function hashOnce(
  bucket: R2Bucket,
  key: string,
  object: R2Object,
  expected: Hash | undefined,
): Promise<Pick<Required<WholeNar>, "fileHash" | "etag"> | undefined> {
  const { etag } = object;
  if (expected?.algorithm === "sha256" && object.size <= MAX_SINGLE_PUT_BYTES) {
    const body = await readUnchanged(bucket, key, object);
    if (body === undefined) return undefined;
    try {
      const { httpMetadata = {}, customMetadata = {} } = object;
      const hashed = await bucket.put(key, body, { sha256: expected.bytes, httpMetadata, customMetadata });
      // One that was uploaded in parts has got another etag.
      return { fileHash: expected, etag: hashed.etag };
    } catch (error) {
      // The digest is wrong: hash the object to report the real one.
      if (r2Code(error) !== BAD_DIGEST) throw bucketFailure("put", error);
    }
  }
  const body = await readUnchanged(bucket, key, object);
  if (body === undefined) return undefined;
  const digest = new crypto.DigestStream("SHA-256");
  await bucketOperation("get", () => body.pipeTo(digest));
  return { fileHash: { algorithm: "sha256", bytes: new Uint8Array(await digest.digest) }, etag };
}

/** An object, and the SHA-256 of the bytes that it has now in lower-case hex. */
export interface ReadFile {
  readonly object: R2Object;
  readonly sha256: string;
}

/** Reads a whole object for its hash, whatever R2 has recorded: one class B operation. */
export async function readFile(bucket: R2Bucket, key: string): Promise<ReadFile | undefined> {
  return bucketOperation("get", async () => {
    const object = await bucket.get(key);
    if (object === null) return undefined;
    const digest = new crypto.DigestStream("SHA-256");
    await object.body.pipeTo(digest);
    return { object, sha256: new Uint8Array(await digest.digest).toHex() };
  });
}

/** As {@link narContradiction}, of the bytes themselves; also where they are not those that R2 has recorded or the name says. */
export function fileContradiction({ object, sha256 }: ReadFile, info: NarInfo): string | undefined {
  const read: Hash = { algorithm: "sha256", bytes: Uint8Array.fromHex(sha256) };
  const contradiction = hashContradiction(read, info);
  if (contradiction !== undefined) return contradiction;
  const expected = [sha256Of(object), narKeySha256(object.key)].find(
    (hash) => hash !== undefined && hash !== sha256,
  );
  if (expected === undefined) return undefined;
  return `has the hash ${formatHash(read)}, not ${formatHash({ algorithm: "sha256", bytes: Uint8Array.fromHex(expected) })}`;
}

async function readUnchanged(
  bucket: R2Bucket,
  key: string,
  { etag }: R2Object,
): Promise<ReadableStream | undefined> {
  const source = await bucketOperation("get", () => bucket.get(key, { onlyIf: { etagMatches: etag } }));
  return source !== null && "body" in source ? source.body : undefined;
}
