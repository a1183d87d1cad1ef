// The signatures inside an `aws-chunked` body. They form a chain that begins with the request's own, so that no chunk can
// be changed, left out, repeated or moved.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and sigv4-streaming-trailers.html
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { S3Error } from "./s3-error.ts";

/** The start of the chain. */
export interface ChunkSigning {
  /** The signature of the request. 64 digits of lower-case hex. */
  readonly seedSignature: string;
  /** Secret. Valid for one day, region and service. */
  readonly signingKey: ArrayBuffer;
  /** `YYYYMMDDTHHMMSSZ`. */
  readonly datetime: string;
  /** `<date>/<region>/s3/aws4_request`. */
  readonly scope: string;
}

export interface ChunkSignatures {
  /** Adds data of the current chunk. */
  readonly update: (data: Uint8Array) => void;
  /** Checks the current chunk and begins the next. Throws {@link S3Error} 403. */
  readonly endChunk: (signature: string | undefined) => void;
  /** Checks the trailer: lines of `name:value`, each with its LF. Throws {@link S3Error} 403. */
  readonly checkTrailer: (lines: string, signature: string | undefined) => void;
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

export function chunkSignatures({
  seedSignature,
  signingKey,
  datetime,
  scope,
}: ChunkSigning): ChunkSignatures {
  const key = new Uint8Array(signingKey);
  let previous = seedSignature;
  let hash = createHash("sha256");

  function check(signature: string | undefined, algorithm: string, ...hashes: readonly string[]): void {
    const text = [algorithm, datetime, scope, previous, ...hashes].join("\n");
    const expected = createHmac("sha256", key).update(text).digest();
    const isHex = signature !== undefined && /^[0-9a-f]{64}$/.test(signature);
    if (!isHex || !timingSafeEqual(expected, Uint8Array.fromHex(signature))) {
      const what = algorithm.endsWith("TRAILER") ? "trailer" : "chunk";
      throw new S3Error(
        403,
        "SignatureDoesNotMatch",
        `the signature of a ${what} of the body does not match`,
      );
    }
    previous = signature;
  }

  return {
    update: (data) => void hash.update(data),
    endChunk: (signature) => {
      check(signature, "AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256, hash.digest("hex"));
      hash = createHash("sha256");
    },
    checkTrailer: (lines, signature) =>
      check(signature, "AWS4-HMAC-SHA256-TRAILER", createHash("sha256").update(lines).digest("hex")),
  };
}
