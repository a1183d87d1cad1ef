// The checksums that a PUT declares in its headers, `Content-MD5` and `x-amz-checksum-*`: whatever the handler does with
// the body, a body that does not have them fails before its last byte arrives, and stores nothing.
import { contentLength } from "./body.ts";
import { type Checksum, checksumOf } from "./checksums.ts";
import { type BodyFilter, filteredBody } from "./filtered-body.ts";
import { S3Error } from "./s3-error.ts";

export interface CheckedRequest {
  readonly request: Request;
  /** Why the body has failed; throw it instead of the bucket's error. */
  readonly failure: () => S3Error | undefined;
}

interface Declared {
  readonly header: string;
  /** Base64. */
  readonly value: string;
  readonly checksum: Checksum;
}

const PREFIX = "x-amz-checksum-";
/** Headers with the prefix that hold no checksum. */
const NO_CHECKSUM: readonly string[] = ["algorithm", "type", "mode"].map((name) => PREFIX + name);
const SHA256 = `${PREFIX}sha256`;

/**
 * A request whose body is checked while it is read. `bucketSha256` (lower-case hex) is the hash that the bucket checks:
 * a declared one that equals it needs no second computation. Throws {@link S3Error} 400 for a checksum that is malformed,
 * unknown, or cannot be right.
 */
export function checkedRequest(request: Request, bucketSha256: string | undefined): CheckedRequest {
  const unchecked = { request, failure: () => undefined };
  if (request.method !== "PUT") return unchecked;
  const declared = declaredIn(request.headers).filter(({ header, value }) => {
    if (header !== SHA256 || bucketSha256 === undefined) return true;
    if (Uint8Array.fromBase64(value).toHex() !== bucketSha256) throw badDigest(header);
    return false;
  });
  if (declared.length === 0) return unchecked;
  if (request.body === null) {
    check(declared);
    return unchecked;
  }
  const length = contentLength(request);
  const { body, failure } = filteredBody(request.body, length, filterOf(declared, length));
  return { request: new Request(request, { body }), failure };
}

/** Whether the headers or the trailer of a PUT have a checksum. */
export function declaresChecksum({ method, headers }: Request): boolean {
  return method === "PUT" && [...headers.keys()].some((name) => name === "x-amz-trailer" || isChecksum(name));
}

/** Whether a header, by its lower-case name, holds a checksum of the body. */
export function isChecksum(name: string): boolean {
  return name === "content-md5" || (name.startsWith(PREFIX) && !NO_CHECKSUM.includes(name));
}

function declaredIn(headers: Headers): Declared[] {
  return [...headers].flatMap(([header, value]) => {
    if (!isChecksum(header)) return [];
    const checksum = checksumOf(header);
    if (checksum === undefined) {
      throw new S3Error(
        400,
        "InvalidRequest",
        `${header} is not supported; use crc32, crc32c, crc64nvme, sha1 or sha256`,
      );
    }
    if (!isBase64Of(value, checksum.bytes)) {
      throw new S3Error(
        400,
        "InvalidDigest",
        `${header} is malformed: it must be the base64 of ${checksum.bytes} bytes`,
      );
    }
    return { header, value, checksum };
  });
}

function isBase64Of(text: string, bytes: number): boolean {
  try {
    const decoded = Uint8Array.fromBase64(text, { lastChunkHandling: "strict" });
    // No white space, which the decoder skips.
    return decoded.length === bytes && decoded.toBase64() === text;
  } catch {
    return false;
  }
}

/** A body of `length` bytes, where that is known, that has the checksums. */
function filterOf(declared: readonly Declared[], length: number | undefined): BodyFilter {
  let received = 0;
  return {
    push: (piece) => {
      for (const { checksum } of declared) checksum.update(piece);
      received += piece.byteLength;
      if (length !== undefined && received > length) throw wrongLength(length);
      return piece.byteLength > 0 ? [piece] : [];
    },
    end: () => {
      if (length !== undefined && received < length) throw wrongLength(length);
      check(declared);
    },
  };
}

function check(declared: readonly Declared[]): void {
  for (const { header, value, checksum } of declared)
    if (checksum.result() !== value) throw badDigest(header);
}

function badDigest(header: string): S3Error {
  return new S3Error(400, "BadDigest", `the body does not have the ${header} that was sent; send it again`);
}

function wrongLength(length: number): S3Error {
  return new S3Error(
    400,
    "IncompleteBody",
    `the body does not have the ${length} bytes of its Content-Length`,
  );
}
