// Verifies identity tokens of trusted issuers (OpenID Connect).
import type { OidcRule } from "../../config/oidc-rule.ts";
import type { Identity } from "../grants.ts";
import { type Claims, isSignedBy, parseJwt } from "../jwt.ts";
import { subjectKey } from "../subject.ts";
import { ALGORITHMS } from "./issuer-keys.ts";
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
  const jwt = token.length <= MAX_TOKEN_LENGTH ? parseJwt(token) : undefined;
  if (jwt === undefined) return wrong("the token is no JWT, or has been cut");
  // Not verified yet: these checks save requests to the issuer and reveal nothing about the rules.
  const { header, claims } = jwt;
  const algorithm = ALGORITHMS.find((known) => known === header.alg);
  // `none` and HS256, whose "secret" would be the public key, are the classic forgeries (RFC 8725, section 2.1).
  if (algorithm === undefined) {
    return wrong(
      `the token is signed with ${shown(textOf(header.alg))}, and only ${ALGORITHMS.join(", ")} count`,
    );
  }
  // Never contact an issuer that no rule names: that would be SSRF.
  const ofIssuer = rules.filter(({ issuer }) => issuer === claims.iss);
  if (ofIssuer.length === 0) {
    return wrong(`no rule of OIDC trusts the token's issuer, ${shown(textOf(claims.iss))}`);
  }
  const times = timesOf(claims);
  if (times === undefined) return wrong("a time in the token is not in seconds since 1970");
  const untimely = timeProblem(times, now);
  if (untimely !== undefined) return wrong(untimely);
  const keyId = typeof header.kid === "string" ? header.kid : undefined;
  const found = await keys.find(textOf(claims.iss), keyId, algorithm);
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
      const isSigned = await isSignedBy(found.key, jwt);
      return isSigned ? authorized(claims, times, ofIssuer) : wrong("the token's signature is wrong");
    }
  }
}

/** Only after the signature is verified: the refusals reveal the rules. */
function authorized(claims: Claims, { exp = 0, iat }: Times, rules: readonly OidcRule[]): OidcResult {
  const matching = matchingRules(claims, rules);
  if (matching.length === 0) return wrong(whyNone(claims, rules));
  const name = nameOf(claims);
  return {
    ok: true,
    identity: {
      name,
      credential: "oidc",
      grants: matching.map(({ grant }) => grant),
      expiresAt: exp * 1000,
      subject: { key: subjectKey(name), issuer: textOf(claims.iss), issuedAt: lastMomentOf(iat) },
      ...(typeof claims.jti === "string" && { jti: claims.jti.slice(0, MAX_NAME_LENGTH) }),
    },
  };
}

/** RFC 7519, sections 4.1.4 to 4.1.6; in seconds since the epoch. */
interface Times {
  readonly exp?: number | undefined;
  readonly nbf?: number | undefined;
  readonly iat?: number | undefined;
}

/** `undefined` if one of them is no time. */
function timesOf({ exp, nbf, iat }: Claims): Times | undefined {
  return isTime(exp) && isTime(nbf) && isTime(iat) ? { exp, nbf, iat } : undefined;
}

function isTime(value: unknown): value is number | undefined {
  return value === undefined || (typeof value === "number" && Math.abs(value) <= MAX_TIME_S);
}

function timeProblem({ exp, nbf, iat }: Times, now: number): string | undefined {
  const seconds = now / 1000;
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

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** The name for the catalog and the log; the prefix keeps it apart from names of other credentials. */
function nameOf({ sub }: Claims): string {
  return `oidc:${textOf(sub)
    .replace(/[^A-Za-z0-9._:/@+-]/g, "_")
    .slice(0, MAX_NAME_LENGTH)}`;
}

function wrong(message: string): OidcResult {
  return { ok: false, status: 401, message };
}
