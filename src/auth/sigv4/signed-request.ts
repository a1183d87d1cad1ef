// A signed request, parsed into the parts that the signature covers. Not verified.
import { S3Error } from "../../http/s3-error.ts";
import { canonicalRequest } from "./canonical.ts";
import { headersAsSent, hostAsSent, signedMethods, signedPaths, targetAsSent } from "./sent.ts";
import { parseSignatureParams, type SignatureParams } from "./signature-params.ts";

/** Milliseconds by which the clocks of client and server may differ: S3's own limit. */
const MAX_SKEW_MS = 15 * 60 * 1000;

export interface SignedRequest {
  readonly params: SignatureParams;
  readonly host: string;
  /** The canonical request in each way in which the client may have written it; most have one. */
  readonly spellings: readonly string[];
}

/**
 * Parses a request with a signature (see detect.ts) and checks the signature's time. `now` is in milliseconds since
 * the epoch. Throws only {@link S3Error} 400 or 403.
 */
export function parseSignedRequest(request: Request, now: number): SignedRequest {
  const host = hostAsSent(request);
  const { path, query } = targetAsSent(request);
  const params = parseSignatureParams(request.headers, query);
  checkTime(params, now);
  const headers = headersAsSent(request, params.signedHeaders);
  const { payloadHash } = params;
  const spellings = signedMethods(request, params.presigned).flatMap((method) =>
    Array.from(signedPaths(path), (path) => canonicalRequest({ method, path, query, headers, payloadHash })),
  );
  return { params, host, spellings };
}

function checkTime({ presigned, time, validFor }: SignatureParams, now: number): void {
  if (!presigned) {
    if (Math.abs(now - time) <= MAX_SKEW_MS) return;
    throw new S3Error(403, "RequestTimeTooSkewed", "the clock of the client differs by more than 15 minutes");
  }
  if (time > now + MAX_SKEW_MS) throw new S3Error(403, "AccessDenied", "the pre-signed URL is not valid yet");
  if (now > time + validFor) throw new S3Error(403, "AccessDenied", "the pre-signed URL has expired");
}
