// A signed request, parsed into the parts that the signature covers. Not verified.
import { S3Error } from "../../http/s3-error.ts";
import { checkQuery, headersAsSent, type Spelling, spellings, urlAsSent } from "./sent.ts";
import { parseSignatureParams, type SignatureParams } from "./signature-params.ts";

/** Milliseconds by which the clocks of client and server may differ: S3's own limit. */
const MAX_SKEW_MS = 15 * 60 * 1000;

export interface SignedRequest {
  readonly params: SignatureParams;
  /** As the client signed it, without the signature. */
  readonly url: URL;
  /** The signed headers, as the client sent them. */
  readonly headers: Headers;
  readonly spellings: readonly Spelling[];
}

/**
 * Parses a request with a signature (see detect.ts) and checks the signature's time. `now` is in milliseconds since
 * the epoch. Throws only {@link S3Error} 400 or 403.
 */
export function parseSignedRequest(request: Request, now: number): SignedRequest {
  const url = urlAsSent(request);
  checkQuery(url.searchParams);
  const params = parseSignatureParams(request.headers, url.searchParams);
  checkTime(params, now);
  const headers = headersAsSent(request, params.signedHeaders);
  url.searchParams.delete("X-Amz-Signature");
  return { params, url, headers, spellings: spellings(request, params.presigned) };
}

function checkTime({ presigned, time, validFor }: SignatureParams, now: number): void {
  if (!presigned) {
    if (Math.abs(now - time) <= MAX_SKEW_MS) return;
    throw new S3Error(403, "RequestTimeTooSkewed", "the clock of the client differs by more than 15 minutes");
  }
  if (time > now + MAX_SKEW_MS) throw new S3Error(403, "AccessDenied", "the pre-signed URL is not valid yet");
  if (now > time + validFor) throw new S3Error(403, "AccessDenied", "the pre-signed URL has expired");
}
