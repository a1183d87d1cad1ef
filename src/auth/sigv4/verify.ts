// AWS Signature Version 4: the received request is signed again with each secret that its access key may have, and
// the signatures are compared.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-auth-using-authorization-header.html
import { AwsV4Signer } from "aws4fetch";
import { S3Error } from "../../http/s3-error.ts";
import { type Payload, parsePayload } from "./payload.ts";
import type { SignedRequest } from "./signed-request.ts";

/** A secret access key, and the caller's value for it. */
export interface Candidate {
  /** An empty secret is ignored: anyone could sign with it. */
  readonly secret: string;
}

export interface Verified<C> {
  /** The candidate whose secret the request is signed with. */
  readonly signer: C;
  /** The signed form of the body. */
  readonly payload: Payload;
}

/**
 * Finds the secret that a request is signed with, without touching its body. Throws {@link S3Error} 403 if no
 * candidate matches, 400 or 501 if the form of the body is unknown or not supported.
 */
export async function verifySignature<C extends Candidate>(
  signed: SignedRequest,
  candidates: readonly C[],
): Promise<Verified<C>> {
  const { payloadHash, signature, datetime } = signed.params;
  const usable = candidates.filter(({ secret }) => secret !== "");
  if (usable.length === 0) {
    throw new S3Error(
      403,
      "InvalidAccessKeyId",
      "there is no such access key here; there are push, pull and admin, with the tokens of these names as secrets",
    );
  }
  for (const signer of usable) {
    const match = await findMatch(signed, signer.secret);
    if (match === undefined) continue;
    const signing = { seedSignature: signature, datetime, ...match };
    return { signer, payload: parsePayload(payloadHash, signing) };
  }
  throw new S3Error(
    403,
    "SignatureDoesNotMatch",
    `the signature does not match: check the secret access key (a minted or identity token is to be the session token, too), and that the client signs for the host ${signed.url.host}`,
  );
}

interface Match {
  readonly signingKey: ArrayBuffer;
  readonly scope: string;
}

/** Signs each spelling of the request with `secret`; `undefined` if none gives the signature that was sent. */
async function findMatch(signed: SignedRequest, secret: string): Promise<Match | undefined> {
  const keys = new Map<string, ArrayBuffer>();
  for (const { method, rawPath } of signed.spellings) {
    const signer = signerOf(signed, method, secret, keys);
    // Most paths have only one spelling.
    if (rawPath === signer.encodedPath) continue;
    if (rawPath !== undefined) signer.encodedPath = rawPath;
    if (!isSame(await signer.signature(), signed.params.signature)) continue;
    const [signingKey] = keys.values();
    if (signingKey === undefined) throw new Error("aws4fetch has left no signing key in its cache");
    return { signingKey, scope: signer.credentialString };
  }
  return undefined;
}

function signerOf(
  { params, url, headers }: SignedRequest,
  method: string,
  secretAccessKey: string,
  cache: Map<string, ArrayBuffer>,
): AwsV4Signer {
  const signer = new AwsV4Signer({
    method,
    url: url.href,
    headers,
    allHeaders: true,
    accessKeyId: params.accessKey,
    secretAccessKey,
    service: "s3",
    region: params.region,
    datetime: params.datetime,
    signQuery: params.presigned,
    cache,
  });
  // aws4fetch signs x-amz-date always; a client may have signed Date instead.
  if (!params.presigned && !headers.has("x-amz-date")) {
    const names = signer.signableHeaders.filter((name) => name !== "x-amz-date");
    signer.signedHeaders = names.join(";");
    signer.canonicalHeaders = signer.canonicalHeaders
      .split("\n")
      .filter((line) => !line.startsWith("x-amz-date:"))
      .join("\n");
  }
  // aws4fetch looks for the hash in the headers only; a pre-signed URL may have it in the query.
  signer.hexBodyHash = async () => params.payloadHash;
  return signer;
}

/** Compares two signatures of 64 hex digits in constant time. */
function isSame(a: string, b: string): boolean {
  return crypto.subtle.timingSafeEqual(Uint8Array.fromHex(a), Uint8Array.fromHex(b));
}
