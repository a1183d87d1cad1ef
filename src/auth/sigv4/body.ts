// The body of a signed request, checked against its signature while it is read.
import { awsChunked, awsChunkedOptions, withoutAwsChunked } from "../../http/aws-chunked.ts";
import { contentLength } from "../../http/body.ts";
import { filteredBody, sha256Filter } from "../../http/filtered-body.ts";
import { S3Error } from "../../http/s3-error.ts";
import type { Payload } from "./payload.ts";

export interface VerifiedRequest {
  /** As sent, but without `aws-chunked`, and with a body that fails if it is not the signed one. */
  readonly request: Request;
  /** Why the body has failed; throw it instead of the bucket's error. */
  readonly failure: () => S3Error | undefined;
}

const EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/**
 * Makes the body of a request check itself while it is read. Unnecessary if the bucket checks the same hash, given as
 * `checkedSha256` (lower-case hex). Throws {@link S3Error} if the headers are wrong.
 */
export function verifiedRequest(
  request: Request,
  payload: Payload,
  checkedSha256: string | undefined,
): VerifiedRequest {
  if (request.headers.has("x-amz-copy-source")) {
    // An upload would store an empty body. rclone sends such a request to change a date.
    throw new S3Error(501, "NotImplemented", "copying within the cache is not supported; upload the object");
  }
  if (payload.form === "unsigned") return { request, failure: () => undefined };
  if (request.body === null) {
    // A GET, for example, is signed with the hash of an empty body.
    if (payload.form === "sha256" && payload.sha256 === EMPTY_SHA256) {
      return { request, failure: () => undefined };
    }
    throw new S3Error(400, "IncompleteBody", "the request was signed for a body, and none has arrived");
  }
  if (payload.form === "sha256") {
    if (payload.sha256 === checkedSha256) return { request, failure: () => undefined };
    const length = contentLength(request);
    if (length === undefined) {
      throw new S3Error(411, "MissingContentLength", "a request with a body needs a Content-Length");
    }
    const { body, failure } = filteredBody(request.body, length, sha256Filter(length, payload.sha256));
    return { request: new Request(request, { body }), failure };
  }
  const options = awsChunkedOptions(request.headers, payload);
  const { body, failure } = awsChunked(request.body, options);
  const headers = new Headers(request.headers);
  headers.set("Content-Length", String(options.decodedLength));
  const encoding = withoutAwsChunked(headers.get("Content-Encoding"));
  if (encoding === null) headers.delete("Content-Encoding");
  else headers.set("Content-Encoding", encoding);
  return { request: new Request(request, { body, headers }), failure };
}
