// Verifies identity tokens of trusted issuers (OpenID Connect).
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from "jose";
import type { OidcRule } from "../../config/oidc-rule.ts";
import type { Identity } from "../grants.ts";
import { subjectKey } from "../subject.ts";
import { ALGORITHMS, type Algorithm } from "./issuer-keys.ts";
import type { KeySource } from "./jwks.ts";
import { matchingRules, shown, whyNone } from "./match.ts";

/** Seconds by which an issuer's clock may differ. */
export const CLOCK_SKEW_S = 60;
/** Characters. GitHub's tokens have some 1500. A longer token is refused before it is decoded. */
const MAX_TOKEN_LENGTH = 16 * 1024;
const MAX_NAME_LENGTH = 128;

export type OidcResult =
  | { readonly ok: true; readonly identity: Identity }
  /** 401: the token is refused. 503: it cannot be checked now. The message is one line. */
  | { readonly ok: false; readonly status: 401 | 503; readonly message: string };

/** Whether a credential has the form of a JWT. */
export function looksLikeJwt(token: string): boolean {
  return /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/.test(token);
}

/**
 * Verifies an identity token. Its identity has the grants of all rules that it satisfies. A refusal is logged. Of the
 * token, message and log contain only bounded values of its claims. Never throws. `now` is in milliseconds since the
 * epoch.
 */
export async function verifyOidc(
  token: string,
  rules: readonly OidcRule[],
  keys: KeySource,
  now: number,
): Promise<OidcResult> {
  const result = await check(token, rules, keys, now);
  if (!result.ok) console.warn(`OIDC token refused (${result.status}): ${result.message}`);
  return result;
}

async function check(
  token: string,
  rules: readonly OidcRule[],
  keys: KeySource,
  now: number,
): Promise<OidcResult> {
  const claimed = token.length <= MAX_TOKEN_LENGTH ? decode(token) : undefined;
  if (claimed === undefined) return wrong("the token is no JWT, or has been cut");
  // Not verified yet: these checks save requests to the issuer and reveal nothing about the rules.
  const { header, payload } = claimed;
  const algorithm = ALGORITHMS.find((known) => known === header.alg);
  // `none` and HS256, whose "secret" would be the public key, are the classic forgeries (RFC 8725, section 2.1).
  if (algorithm === undefined) {
    return wrong(
      `the token is signed with ${shown(textOf(header.alg))}, and only ${ALGORITHMS.join(", ")} count`,
    );
  }
  // Never contact an issuer that no rule names: that would be SSRF.
  const ofIssuer = rules.filter(({ issuer }) => issuer === payload.iss);
  if (ofIssuer.length === 0) {
    return wrong(`no rule of OIDC trusts the token's issuer, ${shown(textOf(payload.iss))}`);
  }
  const untimely = timeProblem(payload, now);
  if (untimely !== undefined) return wrong(untimely);
  const keyId = typeof header.kid === "string" ? header.kid : undefined;
  const found = await keys.find(payload.iss ?? "", keyId, algorithm);
  switch (found.kind) {
    case "unavailable":
      return {
        ok: false,
        status: 503,
        message: `the token cannot be checked now: ${found.why}; try again soon`,
      };
    case "unknown":
      return wrong(
        `the token's issuer has no key ${shown(keyId ?? "without a name")} for ${algorithm}; a new key may take 30 seconds to be seen`,
      );
    case "key": {
      const claims = await verified(token, found.key, algorithm, now);
      return claims === undefined ? wrong("the token's signature is wrong") : authorized(claims, ofIssuer);
    }
  }
}

/** Only after the signature is verified: the refusals reveal the rules. */
function authorized(claims: JWTPayload, rules: readonly OidcRule[]): OidcResult {
  const matching = matchingRules(claims, rules);
  if (matching.length === 0) return wrong(whyNone(claims, rules));
  const name = nameOf(claims);
  return {
    ok: true,
    identity: {
      name,
      credential: "oidc",
      grants: matching.map(({ grant }) => grant),
      expiresAt: (claims.exp ?? 0) * 1000,
      subject: { key: subjectKey(name), issuer: claims.iss ?? "", issuedAt: lastMomentOf(claims.iat) },
      ...(typeof claims.jti === "string" && { jti: claims.jti.slice(0, MAX_NAME_LENGTH) }),
    },
  };
}

/** `undefined` if the text is no JWT. */
function decode(token: string): { header: ProtectedHeaderParameters; payload: JWTPayload } | undefined {
  try {
    return { header: decodeProtectedHeader(token), payload: decodeJwt(token) };
  } catch {
    // jose's message names the malformed part, which does not help the user.
    return undefined;
  }
}

/** The claims; `undefined` if the signature is wrong. */
async function verified(
  token: string,
  key: CryptoKey,
  algorithm: Algorithm,
  now: number,
): Promise<JWTPayload | undefined> {
  try {
    const options = {
      algorithms: [algorithm],
      currentDate: new Date(now),
      clockTolerance: CLOCK_SKEW_S,
      requiredClaims: ["exp"],
    };
    return (await jwtVerify(token, key, options)).payload;
  } catch (error) {
    // jose's errors mean that the token is invalid. Any other error is a defect, and refuses the token as well.
    if (!(error instanceof errors.JOSEError)) console.error("a token could not be verified", error);
    return undefined;
  }
}

/** RFC 7519, sections 4.1.4 to 4.1.6. */
function timeProblem({ exp, nbf, iat }: JWTPayload, now: number): string | undefined {
  const seconds = now / 1000;
  for (const time of [exp, nbf, iat]) {
    if (time !== undefined && (typeof time !== "number" || Math.abs(time) > MAX_TIME_S)) {
      return "a time in the token is not in seconds since 1970";
    }
  }
  if (exp === undefined) return "the token has no end (exp)";
  if (seconds >= exp + CLOCK_SKEW_S) return `the token expired at ${iso(exp)}`;
  if (nbf !== undefined && seconds < nbf - CLOCK_SKEW_S) return `the token is not valid before ${iso(nbf)}`;
  if (iat !== undefined && seconds < iat - CLOCK_SKEW_S)
    return `the token is from the future, ${iso(iat)} (iat)`;
  return undefined;
}

/** The last millisecond of a second; of a token without a time of issue, the earliest. */
function lastMomentOf(second = 0): number {
  return Math.floor(second) * 1000 + 999;
}

/** The greatest time that a Date can hold, in seconds. */
const MAX_TIME_S = 8_640_000_000_000;

function iso(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}

/** jose's types of the claims are not checked at runtime. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The name for the catalog and the log; the prefix keeps it apart from names of other credentials. */
function nameOf({ sub }: JWTPayload): string {
  return `oidc:${textOf(sub)
    .replace(/[^A-Za-z0-9._:/@+-]/g, "_")
    .slice(0, MAX_NAME_LENGTH)}`;
}

function wrong(message: string): OidcResult {
  return { ok: false, status: 401, message };
}
