// Identifies a request by its credential: a token, sent as Bearer or as the password of Basic, or a signature.
import { HttpError } from "../../http/errors.ts";
import { may, type Permission } from "../grants.ts";
import { carriesSigV4 } from "../sigv4/detect.ts";
import type { Authority } from "./authority.ts";
import { tokenOf } from "./credentials.ts";
import { type Identified, refused } from "./identified.ts";
import { identifySigner } from "./signer.ts";
import { identifyToken } from "./token.ts";

/** What a 401 must have (RFC 9110, section 11.6.1). A browser asks for another password. */
export const CHALLENGE = { "WWW-Authenticate": 'Basic realm="nix-cache", charset="UTF-8"' };

/** Throws {@link HttpError} 503 if the credential cannot be checked now. */
export async function identify(request: Request, authority: Authority): Promise<Identified> {
  if (carriesSigV4(request)) return identifySigner(request, isWrite(request), authority);
  const token = tokenOf(request);
  if (token !== undefined) return identifyToken(token, isWrite(request), authority);
  return request.headers.has("Authorization")
    ? refused("the Authorization header has neither the form 'Bearer TOKEN' nor that of Basic")
    : { kind: "none" };
}

export function carriesCredential(request: Request): boolean {
  return request.headers.has("Authorization") || carriesSigV4(request);
}

/** Whether the sender of a request may do this with a cache, by default that of the request. Never rejects. */
export async function senderMay(
  request: Request,
  authority: Authority,
  permission: Permission,
  cacheName = authority.config.cacheName,
): Promise<boolean> {
  // Every read calls this: without a credential it must cost nothing.
  if (!carriesCredential(request)) return false;
  try {
    const identified = await identify(request, authority);
    return identified.kind === "known" && may(identified.identity, permission, cacheName);
  } catch (error) {
    // A read must not fail because an issuer or the catalog is down.
    console.warn("the credential of a read cannot be checked now", error);
    return false;
  }
}

function isWrite({ method }: Request): boolean {
  return method !== "GET" && method !== "HEAD";
}

/** The refusal of a wrong or missing credential; `what`, where there is one, begins the message with its purpose. */
export function unauthorized(
  { url }: Request,
  what: string | undefined,
  identified: Exclude<Identified, { kind: "known" }>,
): HttpError {
  if (identified.kind === "refused" && identified.error !== undefined) return identified.error;
  const why = identified.kind === "refused" ? identified.why : "no token was sent";
  return new HttpError(
    401,
    `${what === undefined ? "" : `${what}, and `}${why}; send a valid one as 'Authorization: Bearer TOKEN', or for Nix in a line 'machine ${new URL(url).hostname} login any password TOKEN' of its netrc-file`,
    CHALLENGE,
  );
}
