// What somebody asks for with POST /api/v1/tokens, and whether they may have it.
import { HttpError } from "../../http/errors.ts";
import { quote } from "../../nix/format-error.ts";
import { type Grant, type Identity, isCachePattern, isPermission, notHeld, PERMISSIONS } from "../grants.ts";
import { TOKEN_NAME, type TokenContent } from "./minted.ts";

/** Seconds. A shorter one could end before its job has begun. */
export const MIN_EXPIRES_IN = 60;
/**
 * Seconds: a year. What is to hold longer is what PUSH_TOKEN is for, which can be changed at any time; a revoked token
 * must be remembered until it expires, so an unbounded one would be remembered for ever.
 */
export const MAX_EXPIRES_IN = 366 * 24 * 60 * 60;
/** Seconds: what a job's identity token proves is a job, and none lasts longer (see exchange.ts). */
export const MAX_BY_OIDC_S = 6 * 60 * 60;
/** The token has to fit into a line of a netrc. */
const MAX_CACHES = 16;

const SHAPE = '{"name": "ci", "permissions": ["push"], "caches": ["nix-cache"], "expires_in": 86400}';

/** Reads the body. Throws {@link HttpError} 400. */
export function parseMintRequest(text: string): TokenContent {
  const { name, permissions, caches, expires_in, ...rest } = parseBody(text, SHAPE);
  refuseOthers(rest, "name, permissions, caches and expires_in");
  // Else it could pass for an exchanged one in "pushed by".
  if (typeof name === "string" && name.startsWith("oidc:")) {
    throw new HttpError(400, "name: must not begin with oidc:, as the names of exchanged tokens do");
  }
  if (typeof name !== "string" || !TOKEN_NAME.test(name)) {
    throw new HttpError(
      400,
      "name: must begin with a letter or digit and have at most 128 letters, digits and ._:/@+-",
    );
  }
  const grant: Grant = {
    permissions: listOf(
      permissions,
      isPermission,
      `permissions: must be a list of ${PERMISSIONS.join(", ")}`,
    ),
    caches: listOf(
      caches,
      (cache): cache is string => typeof cache === "string" && isCachePattern(cache),
      'caches: must be a list of names of caches, or of patterns such as "team-*"; "*" is all of them',
    ),
  };
  if (grant.caches.length > MAX_CACHES) {
    throw new HttpError(400, `caches: more than ${MAX_CACHES} make the token too long; use a pattern`);
  }
  return { name, grants: [grant], expiresIn: parseExpiresIn(expires_in, MAX_EXPIRES_IN) };
}

/** Seconds from {@link MIN_EXPIRES_IN} to `max`. Throws {@link HttpError} 400. */
export function parseExpiresIn(value: unknown, max: number): number {
  if (typeof value === "number" && Number.isInteger(value) && value >= MIN_EXPIRES_IN && value <= max) {
    return value;
  }
  throw new HttpError(400, `expires_in: must be a whole number of seconds from ${MIN_EXPIRES_IN} to ${max}`);
}

/**
 * Throws {@link HttpError} 403 where a token would be worth more than its minter: where it grants what they do not
 * hold, or, minted with a minted token, where it outlives that one: who stole it could else keep it alive for ever.
 * `now` is in milliseconds since the epoch.
 */
export function checkMinter({ grants, expiresIn }: TokenContent, minter: Identity, now: number): void {
  for (const grant of grants) {
    const [permission, cache] = notHeld(grant, minter.grants) ?? [];
    if (permission !== undefined) {
      throw new HttpError(
        403,
        `${minter.name} may not grant ${permission} on ${cache}: it does not hold that`,
      );
    }
  }
  if (minter.credential === "oidc" && expiresIn > MAX_BY_OIDC_S) {
    throw new HttpError(
      403,
      `expires_in: with an identity token ${MAX_BY_OIDC_S} seconds at most; whoever stole one could else keep what it gives`,
    );
  }
  if (minter.credential !== "minted" || minter.expiresAt === undefined) return;
  const left = Math.floor((minter.expiresAt - now) / 1000);
  if (expiresIn > left) {
    throw new HttpError(
      403,
      `expires_in: a token cannot outlive the one that it is minted with, which ends in ${left} seconds`,
    );
  }
}

/** The JSON object of a body. Throws {@link HttpError} 400. */
export function parseBody(text: string, shape: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the body.
    throw new HttpError(400, `the body is not JSON; it must be like ${shape}`);
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  throw new HttpError(400, `the body must be a JSON object like ${shape}`);
}

/** A misspelt field must not be taken for one that is left out. Throws {@link HttpError} 400. */
export function refuseOthers(rest: Record<string, unknown>, known: string): void {
  const [other] = Object.keys(rest);
  if (other !== undefined)
    throw new HttpError(400, `${quote(other)}: nobody knows this field; there are ${known}`);
}

function listOf<T>(value: unknown, is: (item: unknown) => item is T, message: string): readonly T[] {
  if (Array.isArray(value) && value.length > 0 && value.every(is)) return [...new Set(value)];
  throw new HttpError(400, message);
}
