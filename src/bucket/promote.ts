// Turns a staged object into a NAR: verifies it against its name and copies it to its key.

import { S3Error } from "../http/s3-error.ts";
import { preconditionFailed } from "./conditional.ts";
import { MAX_SINGLE_PUT_BYTES, NAR } from "./kinds.ts";
import { verifiedMetadata } from "./nar-object.ts";
import { BAD_DIGEST, bucketFailure, bucketOperation, r2Code } from "./operation.ts";

/** Bytes of a part when an object too large for one put is copied. */
const COPY_PART_BYTES = 4 * 1024 ** 3;

const httpMetadata = { contentType: NAR.contentType };

/**
 * Copies a staged object to its final key if it has the SHA-256 (lower-case hex) in its name; returns its ETag. Up to
 * `singlePutBytes` R2 checks the hash; above, the Worker hashes the object and copies it in parts, which takes two more
 * class A operations and one for each 4 GiB. Throws {@link S3Error} 400 BadDigest,
 * and 412 if `onlyIf` does not hold, which R2 cannot decide for a copy in parts.
 */
export async function promote(
  bucket: R2Bucket,
  staged: R2ObjectBody,
  key: string,
  sha256: string,
  singlePutBytes = MAX_SINGLE_PUT_BYTES,
  onlyIf?: R2Conditional,
): Promise<string> {
  if (staged.size <= singlePutBytes) return putVerified(bucket, staged, key, sha256, onlyIf);
  const digest = new crypto.DigestStream("SHA-256");
  await bucketOperation("get", () => staged.body.pipeTo(digest));
  if (new Uint8Array(await digest.digest).toHex() !== sha256) throw badDigest(key);
  const partBytes = Math.min(COPY_PART_BYTES, singlePutBytes);
  return bucketOperation("copy", () => copyInParts(bucket, staged, key, sha256, partBytes));
}

async function putVerified(
  bucket: R2Bucket,
  staged: R2ObjectBody,
  key: string,
  sha256: string,
  onlyIf: R2Conditional | undefined,
): Promise<string> {
  let put: R2Object | null;
  try {
    put = await bucket.put(key, staged.body, { sha256, httpMetadata, ...(onlyIf && { onlyIf }) });
  } catch (error) {
    throw r2Code(error) === BAD_DIGEST ? badDigest(key) : bucketFailure("put", error);
  }
  if (put === null) throw preconditionFailed();
  return put.etag;
}

/** The object appears under its final key only when the copy is complete. */
async function copyInParts(
  bucket: R2Bucket,
  staged: R2Object,
  key: string,
  sha256: string,
  partBytes: number,
): Promise<string> {
  const copy = await bucket.createMultipartUpload(key, {
    httpMetadata,
    customMetadata: verifiedMetadata(sha256),
  });
  try {
    const parts: R2UploadedPart[] = [];
    for (let offset = 0; offset < staged.size; offset += partBytes) {
      const range = { offset, length: Math.min(partBytes, staged.size - offset) };
      // Exactly the object that was hashed.
      const source = await bucket.get(staged.key, { range, onlyIf: { etagMatches: staged.etag } });
      if (source === null || !("body" in source)) throw new Error("the staged object has gone");
      parts.push(await copy.uploadPart(parts.length + 1, source.body));
    }
    return (await copy.complete(parts)).etag;
  } catch (error) {
    // Frees its storage, best effort: R2 drops the upload in a week.
    await copy.abort().catch(() => undefined);
    throw error;
  }
}

function badDigest(key: string): S3Error {
  return new S3Error(
    400,
    "BadDigest",
    `the parts together do not have the SHA-256 that ${key} says; nothing was stored, upload it again`,
  );
}
