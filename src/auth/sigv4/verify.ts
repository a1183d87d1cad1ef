// AWS Signature Version 4: the received request is signed again with each secret that its access key may have, and
// the signatures are compared.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
import { S3Error } from "../../http/s3-error.ts";
import { type Payload, parsePayload } from "./payload.ts";
import type { SignedRequest } from "./signed-request.ts";

const ALGORITHM = "AWS4-HMAC-SHA256";

const encoder = new TextEncoder();

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
  const { payloadHash, signature, datetime, region } = signed.params;
  const usable = candidates.filter(({ secret }) => secret !== "");
  if (usable.length === 0) {
    throw new S3Error(
      403,
      "InvalidAccessKeyId",
      "there is no such access key here; there are push, pull and admin, with the tokens of these names as secrets",
    );
  }
  const date = datetime.slice(0, "YYYYMMDD".length);
  const scope = `${date}/${region}/s3/aws4_request`;
  const texts = await Promise.all(
    signed.spellings.map(async (spelling) => [ALGORITHM, datetime, scope, await sha256(spelling)].join("\n")),
  );
  for (const signer of usable) {
    const signingKey = await deriveKey(signer.secret, date, region);
    if (!(await isSignatureOfAny(texts, signingKey, Uint8Array.fromHex(signature)))) continue;
    return {
      signer,
      payload: parsePayload(payloadHash, { seedSignature: signature, signingKey, datetime, scope }),
    };
  }
  throw new S3Error(
    403,
    "SignatureDoesNotMatch",
    `the signature does not match: check the secret access key (a minted or identity token is to be the session token, too), and that the client signs for the host ${signed.host}`,
  );
}

async function deriveKey(secret: string, date: string, region: string): Promise<ArrayBuffer> {
  const ofDate = await hmac(encoder.encode(`AWS4${secret}`), date);
  const ofRegion = await hmac(ofDate, region);
  const ofService = await hmac(ofRegion, "s3");
  return hmac(ofService, "aws4_request");
}

async function isSignatureOfAny(
  texts: readonly string[],
  key: ArrayBuffer,
  signature: Uint8Array,
): Promise<boolean> {
  for (const text of texts) {
    if (crypto.subtle.timingSafeEqual(await hmac(key, text), signature)) return true;
  }
  return false;
}

async function hmac(key: BufferSource, text: string): Promise<ArrayBuffer> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, encoder.encode(text));
}

/** Lower-case hex. */
async function sha256(text: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", encoder.encode(text))).toHex();
}
