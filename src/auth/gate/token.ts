// Identifies the holder of a token: static, minted, or of an OIDC issuer.
import { HttpError } from "../../http/errors.ts";
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
  const { config, memory } = authority;
  // First, because a static token may look like any other kind.
  const identity = await staticIdentity(token, config);
  if (identity !== undefined) return { kind: "known", identity };
  if (isMinted(token)) return identifyMinted(token, isWrite, authority);
  if (config.oidc.length === 0 || !looksLikeJwt(token)) return refused("the token is wrong");
  const result = await verifyOidc(token, config.oidc, memory.issuers, Date.now());
  if (result.ok) return { kind: "known", identity: result.identity };
  // 503 and no refusal: the client should try again.
  if (result.status === 503) throw new HttpError(503, result.message, { "Retry-After": "5" });
  return refused(result.message);
}

async function identifyMinted(token: string, isWrite: boolean, authority: Authority): Promise<Identified> {
  const { config, memory, revokedIds } = authority;
  const result = await verifyMinted(token, await config.tokenKeys(), Date.now());
  if (!result.ok) return refused(result.message);
  if (await memory.revocations.isRevoked(result.id, { fresh: isWrite }, revokedIds)) {
    return refused(`the token ${result.identity.name} has been revoked; get a new one`);
  }
  return { kind: "known", identity: result.identity };
}
