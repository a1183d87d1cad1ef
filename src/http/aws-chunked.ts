// `aws-chunked` bodies: the form in which the AWS SDKs stream content without hashing it first.
import { AwsChunkedDecoder, type AwsChunkedOptions } from "./aws-chunked-decoder.ts";
import type { ChunkSigning } from "./aws-chunked-signatures.ts";
import { type FilteredBody, filteredBody } from "./filtered-body.ts";
import { S3Error } from "./s3-error.ts";

/** The form of a body, by a streaming `x-amz-content-sha256`. */
export interface AwsChunkedForm {
  readonly trailer: boolean;
  readonly signing: ChunkSigning | undefined;
}

/** Unwraps a body. Its content has exactly `decodedLength` bytes, or the stream fails with {@link S3Error}. */
export function awsChunked(body: ReadableStream<Uint8Array>, options: AwsChunkedOptions): FilteredBody {
  return filteredBody(body, options.decodedLength, new AwsChunkedDecoder(options));
}

/** Reads the form of a body from its headers. Throws {@link S3Error} 400 or 411. */
export function awsChunkedOptions(headers: Headers, { trailer, signing }: AwsChunkedForm): AwsChunkedOptions {
  const length = headers.get("x-amz-decoded-content-length");
  if (length === null) {
    throw new S3Error(411, "MissingContentLength", "a streamed body needs x-amz-decoded-content-length");
  }
  if (!/^\d{1,15}$/.test(length)) {
    throw new S3Error(400, "InvalidArgument", "x-amz-decoded-content-length is not a number");
  }
  const names = (headers.get("x-amz-trailer") ?? "").toLowerCase().split(",");
  const trailers = [...new Set(names.map((name) => name.trim()))].filter((name) => name !== "");
  if (!trailer && trailers.length > 0) {
    throw new S3Error(
      400,
      "InvalidRequest",
      "x-amz-trailer needs an x-amz-content-sha256 that ends in -TRAILER",
    );
  }
  return { decodedLength: Number(length), signing, trailers };
}

/** A Content-Encoding header without `aws-chunked`, which is not stored; `null` if nothing is left. */
export function withoutAwsChunked(contentEncoding: string | null): string | null {
  const codings = (contentEncoding ?? "").split(",").map((coding) => coding.trim());
  return (
    codings.filter((coding) => coding !== "" && coding.toLowerCase() !== "aws-chunked").join(", ") || null
  );
}
