// AWS Signature Version 4, as S3 clients sign: the received request is signed again with the secret that its access
// key stands for, and the two signatures are compared.
import { AwsV4Signer } from "aws4fetch";
import { S3Error } from "../../http/s3-error.ts";
import { type Payload, parsePayload } from "./payload.ts";
import { checkQuery, headersAsSent, spellings, urlAsSent } from "./sent.ts";
import { parseClaim, type SignatureParams } from "./signature-params.ts";

/** How far the clocks of client and server may be apart: S3's own limit. */
const MAX_SKEW_MS = 15 * 60 * 1000;

/** The secret access key of an access key (and session token, if one was sent); `undefined` for an unknown one. */
export type SecretOf = (accessKey: string, sessionToken: string | undefined) => string | undefined;

export type SigV4Outcome =
  | {
      readonly ok: true;
      readonly accessKey: string;
      readonly sessionToken: string | undefined;
      readonly payload: Payload;
    }
  | { readonly ok: false; readonly error: S3Error };

/**
 * Checks the signature of a request, without touching its body: what the signature says of the body is in the
 * outcome. `now` in milliseconds since the epoch. Never throws, whatever was sent.
 */
export async function verifySigV4(request: Request, secretOf: SecretOf, now: number): Promise<SigV4Outcome> {
  try {
    return await verify(request, secretOf, now);
  } catch (error) {
    // A refusal is an outcome; anything else is a defect, and the caller's to report.
    if (error instanceof S3Error) return { ok: false, error };
    throw error;
  }
}

async function verify(request: Request, secretOf: SecretOf, now: number): Promise<SigV4Outcome> {
  const url = urlAsSent(request);
  checkQuery(url.searchParams);
  const claim = parseClaim(request.headers, url.searchParams);
  checkTime(claim, now);
  const headers = headersAsSent(request, claim.signedHeaders);
  const { accessKey, sessionToken } = claim;
  const secretAccessKey = secretOf(accessKey, sessionToken);
  // An empty secret would let anybody sign.
  if (secretAccessKey === undefined || secretAccessKey === "") {
    throw new S3Error(
      403,
      "InvalidAccessKeyId",
      "there is no such access key here; there are push, pull and admin, with the tokens of these names as secrets",
    );
  }

  url.searchParams.delete("X-Amz-Signature");
  const cache = new Map<string, ArrayBuffer>();
  for (const { method, path } of spellings(request, claim)) {
    const signer = new AwsV4Signer({
      method,
      url: url.href,
      headers,
      allHeaders: true,
      accessKeyId: accessKey,
      secretAccessKey,
      service: "s3",
      region: claim.region,
      datetime: claim.datetime,
      signQuery: claim.presigned,
      cache,
    });
    // It would look for the hash in the headers only; a pre-signed URL may have it in the query.
    signer.hexBodyHash = async () => claim.payloadHash;
    if (path !== undefined) signer.encodedPath = path;
    if (!(await isSame(await signer.signature(), claim.signature))) continue;
    const [signingKey] = cache.values();
    if (signingKey === undefined) throw new Error("aws4fetch has left no signing key in its cache");
    const { datetime, signature } = claim;
    const signing = { seedSignature: signature, signingKey, datetime, scope: signer.credentialString };
    return { ok: true, accessKey, sessionToken, payload: parsePayload(claim.payloadHash, signing) };
  }
  throw new S3Error(
    403,
    "SignatureDoesNotMatch",
    `the signature does not match: check the secret access key (a minted or identity token is to be the session token, too), and that the client signs for the host ${url.host}`,
  );
}

function checkTime({ presigned, time, validFor }: SignatureParams, now: number): void {
  if (!presigned) {
    if (Math.abs(now - time) <= MAX_SKEW_MS) return;
    throw new S3Error(403, "RequestTimeTooSkewed", "the clock of the client differs by more than 15 minutes");
  }
  if (time > now + MAX_SKEW_MS) throw new S3Error(403, "AccessDenied", "the pre-signed URL is not valid yet");
  if (now > time + validFor) throw new S3Error(403, "AccessDenied", "the pre-signed URL has expired");
}

/** Digests, so that the time tells nothing of where the two differ. */
async function isSame(a: string, b: string): Promise<boolean> {
  const [x, y] = await Promise.all([sha256(a), sha256(b)]);
  return crypto.subtle.timingSafeEqual(x, y);
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
