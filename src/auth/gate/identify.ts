// Who is asking: one function for every form of credential (Bearer, Basic password, S3 signature) and every kind of
// token in it (static, minted, of an OIDC issuer).
import type { Config } from "../../config/config.ts";
import { HttpError } from "../../http/errors.ts";
import { type Identity, may } from "../grants.ts";
import { looksLikeJwt, verifyOidc } from "../oidc/verify.ts";
import { carriesSigV4 } from "../sigv4/detect.ts";
import type { Payload } from "../sigv4/payload.ts";
import { verifySigV4 } from "../sigv4/verify.ts";
import { isMinted, verifyMinted } from "../tokens/minted.ts";
import { tokenOf } from "./credentials.ts";
import { staticIdentity, staticTokens } from "./static-tokens.ts";

export type Identified =
  /** No credential was sent. */
  | { readonly kind: "none" }
  /** Where there is a payload, the body is to be read through `verifiedRequest`. */
  | { readonly kind: "known"; readonly identity: Identity; readonly payload?: Payload }
  /** A credential was sent that is none. */
  | Refused;

export interface Refused {
  readonly kind: "refused";
  /** In the form "the token is wrong". */
  readonly why: string;
  /** Of a signature: in S3's own words. */
  readonly error?: HttpError;
}

const NONE: Identified = { kind: "none" };

/** What is needed besides the request. */
export interface Authority {
  readonly config: Config;
  /** Asks the catalog that keeps the tokens for the ids of those that are revoked. */
  readonly revokedIds: () => Promise<ReadonlySet<string>>;
}

/** Whether a request has a credential of any kind, right or wrong. Cheap, because every reading asks. */
export function hasCredential(request: Request): boolean {
  return request.headers.has("Authorization") || carriesSigV4(request);
}

/** Throws only where it cannot be found out now: {@link HttpError} 503. */
export async function identify(request: Request, authority: Authority): Promise<Identified> {
  if (carriesSigV4(request)) return identifySigner(request, authority);
  const token = tokenOf(request);
  if (token !== undefined) return identifyToken(token, isWriting(request), authority);
  return request.headers.has("Authorization")
    ? refused("the Authorization header has neither the form 'Bearer TOKEN' nor that of Basic")
    : NONE;
}

/** Whether a request is by somebody who may push to this cache. Never rejects. */
export async function mayPush(request: Request, authority: Authority): Promise<boolean> {
  if (!hasCredential(request)) return false;
  try {
    const identified = await identify(request, authority);
    return identified.kind === "known" && may(identified.identity, "push", authority.config.cacheName);
  } catch (error) {
    // Reading goes on while nobody can tell.
    console.warn("who is asking cannot be told now", error);
    return false;
  }
}

async function identifyToken(token: string, isWriting: boolean, authority: Authority): Promise<Identified> {
  const { config } = authority;
  // First, so that a secret may look like anything.
  const identity = await staticIdentity(token, config);
  if (identity !== undefined) return { kind: "known", identity };
  if (isMinted(token)) return identifyMinted(token, isWriting, authority);
  if (config.oidc.length === 0 || !looksLikeJwt(token)) return refused("the token is wrong");
  const result = await verifyOidc(token, config.oidc, config.memory.issuers, Date.now());
  if (result.ok) return { kind: "known", identity: result.identity };
  // Whether the token is good cannot be said now: that is no refusal, and clients try again.
  if (result.status === 503) throw new HttpError(503, result.message, { "Retry-After": "5" });
  return refused(result.message);
}

async function identifyMinted(token: string, isWriting: boolean, authority: Authority): Promise<Identified> {
  const { config, revokedIds } = authority;
  const result = await verifyMinted(token, await config.tokenKeys(), Date.now());
  if (!result.ok) return refused(result.message);
  if (await config.memory.revocations.isRevoked(result.id, { fresh: isWriting }, revokedIds)) {
    return refused(`the token ${result.identity.name} has been revoked; have a new one minted`);
  }
  return { kind: "known", identity: result.identity };
}

/**
 * The access keys `push`, `pull` and `admin` have the static tokens as their secrets; any other may have any of them,
 * because curl signs with the login of a netrc, which means nothing elsewhere. Another kind of token is the session
 * token and the secret at once: whoever signs with it has it, and then it is what counts.
 */
async function identifySigner(request: Request, authority: Authority): Promise<Identified> {
  const tokens = staticTokens(authority.config);
  let refusal: HttpError | undefined;
  for (const candidate of tokens) {
    const secretOf = (accessKey: string, sessionToken: string | undefined) =>
      sessionToken ?? (tokens.find((each) => each.accessKey === accessKey) ?? candidate).token;
    const outcome = await verifySigV4(request, secretOf, Date.now());
    if (!outcome.ok) {
      // Of several the one that has compared something says most.
      if (refusal === undefined || outcome.error.code === "SignatureDoesNotMatch") refusal = outcome.error;
      continue;
    }
    const { accessKey, sessionToken, payload } = outcome;
    if (sessionToken !== undefined) {
      const identified = await identifyToken(sessionToken, isWriting(request), authority);
      return identified.kind === "known" ? { ...identified, payload } : identified;
    }
    const signer = tokens.find((each) => each.accessKey === accessKey) ?? candidate;
    return { kind: "known", identity: signer.identity, payload };
  }
  if (refusal === undefined) throw new Error("a signature that nobody has looked at");
  return { kind: "refused", why: refusal.message, error: refusal };
}

/** Whatever changes something asks whether its token was revoked a moment ago. */
function isWriting({ method }: Request): boolean {
  return method !== "GET" && method !== "HEAD";
}

function refused(why: string): Refused {
  return { kind: "refused", why };
}

/** The refusal of a credential, or of none: `what` says what it would be needed for. */
export function unauthorized(what: string, identified: Exclude<Identified, { kind: "known" }>): HttpError {
  if (identified.kind === "refused" && identified.error !== undefined) return identified.error;
  const why = identified.kind === "refused" ? identified.why : "no token was sent";
  return new HttpError(
    401,
    `${what}, and ${why}; a good one is sent as 'Authorization: Bearer TOKEN', by Nix from a line 'machine HOST login any password TOKEN' in its netrc-file`,
    { "WWW-Authenticate": 'Basic realm="nix-cache", charset="UTF-8"' },
  );
}
