// Identifies the signer of a request (AWS Signature Version 4): parse, choose the secrets that may match, verify.
import type { Config } from "../../config/config.ts";
import { S3Error } from "../../http/s3-error.ts";
import type { Identity } from "../grants.ts";
import type { SignatureParams } from "../sigv4/signature-params.ts";
import { parseSignedRequest } from "../sigv4/signed-request.ts";
import { type Candidate, verifySignature } from "../sigv4/verify.ts";
import type { Authority } from "./authority.ts";
import type { Identified } from "./identified.ts";
import { staticTokens } from "./static-tokens.ts";
import { identifyToken } from "./token.ts";

/** Identifies a signer; see {@link identifyToken} for the rest. */
export async function identifySigner(
  request: Request,
  isWrite: boolean,
  authority: Authority,
): Promise<Identified> {
  try {
    const signed = parseSignedRequest(request, Date.now());
    const { signer, payload } = await verifySignature(signed, candidatesOf(signed.params, authority.config));
    if (signer.identity !== undefined) return { kind: "known", identity: signer.identity, payload };
    const identified = await identifyToken(signer.secret, isWrite, authority);
    return identified.kind === "known" ? { ...identified, payload } : identified;
  } catch (error) {
    // Any other error is a defect, or an issuer or catalog that is down.
    if (!(error instanceof S3Error)) throw error;
    return { kind: "refused", why: error.message, error };
  }
}

interface SignerCandidate extends Candidate {
  /** `undefined` for a session token: its identity is that of the token. */
  readonly identity?: Identity;
}

/**
 * The secrets that a request may be signed with. The access keys `push`, `pull` and `admin` have the static tokens as
 * their secrets. Any other access key is accepted with any static token, because curl sends the netrc login, which is
 * arbitrary. A minted or identity token is sent as both session token and secret.
 */
function candidatesOf(
  { accessKey, sessionToken }: SignatureParams,
  config: Config,
): readonly SignerCandidate[] {
  if (sessionToken !== undefined) return [{ secret: sessionToken }];
  const tokens = staticTokens(config);
  const named = tokens.filter((each) => each.accessKey === accessKey);
  return (named.length > 0 ? named : tokens).flatMap(({ token, identity }) =>
    token === undefined ? [] : { secret: token, identity },
  );
}
