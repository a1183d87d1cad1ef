// Refusals for S3 clients: an XML document with S3's codes.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { FOLDERS } from "../bucket/kinds.ts";
import { BucketError } from "../bucket/operation.ts";
import type { BucketFailure } from "../contract/refusals.ts";
import { HttpError, oneLine, toHttpError } from "../http/errors.ts";
import { S3Error } from "../http/s3-error.ts";
import { errorDocument } from "../http/xml.ts";

/** S3's codes for refusals by handlers of other protocols, by status. */
const CODES: Readonly<Record<number, string>> = {
  400: "InvalidRequest",
  401: "AccessDenied",
  403: "AccessDenied",
  404: "NoSuchKey",
  405: "MethodNotAllowed",
  406: "InvalidRequest",
  409: "InvalidRequest",
  411: "MissingContentLength",
  412: "PreconditionFailed",
  413: "EntityTooLarge",
  414: "KeyTooLongError",
  415: "InvalidRequest",
  416: "InvalidRange",
  501: "NotImplemented",
  503: "ServiceUnavailable",
};

/** S3's codes for failures of the bucket. */
const BUCKET_CODES: Readonly<Record<BucketFailure, string>> = {
  "bad-digest": "BadDigest",
  "incomplete-body": "IncompleteBody",
  "too-large": "EntityTooLarge",
  unavailable: "ServiceUnavailable",
};

/** Query parameters that only S3 clients send. */
const PARAMETERS = /(?:^|[?&])(?:uploads|uploadId|list-type|location)(?:[=&]|$)/;

/** Whether the client expects S3's documents; all others get a line of text. */
export function isS3Client(request: Request): boolean {
  return carriesSigV4(request) || PARAMETERS.test(request.url.slice(request.url.indexOf("?") + 1));
}

/** The answer for anything thrown while handling a request of an S3 client; see `errorResponse`. */
export function s3ErrorResponse(error: unknown, resource: string): Response {
  const refusal = toHttpError(error);
  const code = codeOf(refusal);
  return new Response(errorDocument(code, oneLine(refusal.message), resource), {
    status: refusal.status,
    headers: { "Content-Type": "application/xml", "Cache-Control": "no-store", ...refusal.headers },
  });
}

/** S3's code for a refusal. */
export function codeOf(refusal: HttpError): string {
  if (refusal instanceof S3Error) return refusal.code;
  if (refusal instanceof BucketError) return BUCKET_CODES[refusal.reason];
  return CODES[refusal.status] ?? "InternalError";
}

/**
 * The refusal for a signed request that no route serves. Its first segment is a bucket, unless it is a folder of the
 * default cache, whose name may be left out.
 */
export function unknownToS3(error: unknown, path: string): unknown {
  if (!(error instanceof HttpError) || error.status !== 404) return error;
  const [, bucket = ""] = /^\/([^/]*)/.exec(path) ?? [];
  if (bucket === "" || FOLDERS.includes(`${bucket}/`)) return error;
  return new S3Error(
    404,
    "NoSuchBucket",
    `there is no bucket ${bucket}: each is a cache, declared by CACHES in nix-cache.toml`,
  );
}
