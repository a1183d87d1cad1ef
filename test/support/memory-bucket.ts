/**
 * R2 in memory, as far as publishing and deleting use it: thousands of histories run in the time that the local R2
 * takes for one. memory-bucket.test.ts holds it against the local R2.
 */
import { createHash } from "node:crypto";
import { r2Error } from "./bucket.ts";

interface Stored {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly etag: string;
  readonly uploaded: Date;
  readonly sha256: Uint8Array<ArrayBuffer> | undefined;
  readonly httpMetadata: R2HTTPMetadata;
  readonly customMetadata: Record<string, string>;
}

/** Of an error for which R2 has no code, such as a range of an empty object. */
const NO_CODE = 0;

/** The only range that the catalog asks for. Bytes. */
interface FirstBytes {
  readonly offset: 0;
  readonly length: number;
}

type PutBody = string | ArrayBuffer | Uint8Array<ArrayBuffer> | ReadableStream;

/** An empty bucket; `now` says when its objects are written, in milliseconds since the epoch. */
export function memoryBucket(now: () => number): R2Bucket {
  const objects = new Map<string, Stored>();

  const bucket = {
    async head(key: string) {
      const stored = objects.get(key);
      return stored === undefined ? null : objectOf(key, stored);
    },

    async get(key: string, { onlyIf, range }: { onlyIf?: R2Conditional; range?: FirstBytes } = {}) {
      const stored = objects.get(key);
      if (stored === undefined) return null;
      const object = objectOf(key, stored);
      if (onlyIf !== undefined && !holds(onlyIf, stored)) return object;
      if (range !== undefined && stored.bytes.length === 0) {
        throw r2Error("get", "Unspecified error", NO_CODE);
      }
      const bytes = stored.bytes.slice(0, range?.length);
      return {
        ...object,
        // Made when it is asked for: a stream takes longer than all the rest.
        get body() {
          return new Blob([bytes]).stream();
        },
        bytes: async () => bytes.slice(),
        text: async () => new TextDecoder().decode(bytes),
      };
    },

    async put(key: string, body: PutBody, options: R2PutOptions = {}) {
      const bytes = await bytesOf(body);
      const { onlyIf, sha256, httpMetadata = {}, customMetadata = {} } = options;
      const digest = hash("sha256", bytes);
      if (sha256 !== undefined && hex(sha256) !== digest.toHex()) {
        throw r2Error("put", "The SHA-256 checksum you specified did not match what we received.", 10037);
      }
      if (onlyIf !== undefined && !holds(onlyIf as R2Conditional, objects.get(key))) return null;
      const stored: Stored = {
        bytes,
        etag: hash("md5", bytes).toHex(),
        uploaded: new Date(now()),
        sha256: sha256 === undefined ? undefined : digest,
        httpMetadata: httpMetadata as R2HTTPMetadata,
        customMetadata,
      };
      objects.set(key, stored);
      return objectOf(key, stored);
    },

    async delete(keys: string | string[]) {
      for (const key of [keys].flat()) objects.delete(key);
    },

    async list({ prefix = "", delimiter, startAfter = "", limit = 1000 }: R2ListOptions = {}) {
      const folderOf = (key: string) => {
        const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length);
        return end < 0 ? undefined : key.slice(0, end + 1);
      };
      const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > startAfter);
      const entries = [...new Set(keys.map((key) => folderOf(key) ?? key))].sort();
      const page = entries.slice(0, limit);
      return {
        objects: page
          .filter((key) => objects.has(key))
          .map((key) => objectOf(key, objects.get(key) as Stored)),
        delimitedPrefixes: page.filter((key) => !objects.has(key)),
        truncated: entries.length > limit,
      };
    },
  };
  return bucket as unknown as R2Bucket;
}

async function bytesOf(body: PutBody): Promise<Uint8Array<ArrayBuffer>> {
  if (typeof body === "string") return new TextEncoder().encode(body) as Uint8Array<ArrayBuffer>;
  return new Uint8Array(await new Response(body).arrayBuffer());
}

function objectOf(key: string, stored: Stored) {
  const { bytes, etag, uploaded, sha256, httpMetadata, customMetadata } = stored;
  return {
    key,
    size: bytes.length,
    etag,
    httpEtag: `"${etag}"`,
    uploaded,
    checksums: { ...(sha256 && { sha256: sha256.buffer }) },
    httpMetadata,
    customMetadata,
  };
}

function holds({ etagMatches, etagDoesNotMatch }: R2Conditional, stored: Stored | undefined): boolean {
  if (stored === undefined) return etagMatches === undefined;
  const matches = (etag: string) => etag === "*" || etag === stored.etag;
  return (
    (etagMatches === undefined || matches(etagMatches)) &&
    (etagDoesNotMatch === undefined || !matches(etagDoesNotMatch))
  );
}

function hash(algorithm: "md5" | "sha256", bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash(algorithm).update(bytes).digest());
}

function hex(digest: ArrayBuffer | ArrayBufferView | string): string {
  if (typeof digest === "string") return digest;
  return (digest instanceof ArrayBuffer ? new Uint8Array(digest) : new Uint8Array(digest.buffer)).toHex();
}
