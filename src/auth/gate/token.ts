// Identifies the holder of a token: static, minted, or of an OIDC issuer.
import type { Credential } from "../../contract/revocations.ts";
import { HttpError } from "../../http/errors.ts";
import type { Identity } from "../grants.ts";
import { looksLikeJwt, verifyOidc } from "../oidc/verify.ts";
import { isMinted, verifyMinted } from "../tokens/minted.ts";
import type { Authority } from "./authority.ts";
import { type Identified, refused } from "./identified.ts";
import { staticIdentity } from "./static-tokens.ts";

/**
 * Identifies a token. For a write (`isWrite`) the catalog is asked whether a minted token has just been revoked.
 * Throws {@link HttpError} 503 if it cannot be checked now.
 */
export async function identifyToken(
  token: string,
  isWrite: boolean,
  authority: Authority,
): Promise<Identified> {
  const { config } = authority;
  // As of a variable that is not set.
  if (token === "") return refused("the token is empty");
  // First, because a static token may look like any other kind.
  const identity = await staticIdentity(token, config);
  if (identity !== undefined) return { kind: "known", identity };
  if (isMinted(token)) return identifyMinted(token, isWrite, authority);
  if (config.oidc.length === 0 || !looksLikeJwt(token)) return refused("the token is wrong");
  return identifyOidc(token, authority);
}

async function identifyOidc(token: string, authority: Authority): Promise<Identified> {
  const { config, memory } = authority;
  const result = await verifyOidc(token, config.oidc, memory.issuers, Date.now());
  // 503 and no refusal: the client should try again.
  if (!result.ok && result.status === 503) throw new HttpError(503, result.message, { "Retry-After": "5" });
  if (!result.ok) return refused(result.message);
  // Never fresh: it expires soon, and a push with it would cost a call more for each request.
  return unlessRevoked(result.identity, false, authority);
}

async function identifyMinted(token: string, isWrite: boolean, authority: Authority): Promise<Identified> {
  const result = await verifyMinted(token, await authority.config.tokenKeys(), Date.now());
  return result.ok ? unlessRevoked(result.identity, isWrite, authority) : refused(result.message);
}

async function unlessRevoked(
  identity: Identity,
  fresh: boolean,
  { memory, askRevoked }: Authority,
): Promise<Identified> {
  const isRevoked = await memory.revocations.isRevoked(credentialOf(identity), { fresh }, askRevoked);
  return isRevoked ? refused(whyRevoked(identity)) : { kind: "known", identity };
}

export function whyRevoked({ name }: Identity): string {
  return `the token ${name} has been revoked; get a new one`;
}

/** Without the fields that only the Worker needs: it is sent to the catalog. */
export function credentialOf({ tokenId, subject }: Identity): Credential {
  return { ...(tokenId !== undefined && { tokenId }), ...(subject !== undefined && { subject }) };
}
