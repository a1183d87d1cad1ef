// Minted tokens: made and verified. A token carries its grants under the cache's own signature, so that verifying it
// needs no lookup.
import { HttpError } from "../../http/errors.ts";
import { type Grant, type Identity, isCachePattern, isPermission } from "../grants.ts";
import { type Claims, isSignedBy, parseJwt, signJwt } from "../jwt.ts";
import { subjectKey } from "../subject.ts";

/** The prefix of every token. Secret scanners find tokens by it, and no foreign JWT has it. */
export const TOKEN_PREFIX = "nixcache_";

/** The `typ` is there so that a JWT made for another purpose is refused (RFC 8725, section 3.11). */
const HEADER = { alg: "HS256", typ: "nix-cache+jwt" };

/** Characters. With machine and login it must fit into a line of a netrc, of which older curl reads 4096 bytes. */
const MAX_TOKEN_LENGTH = 3840;

/** 128 random bits, in base64url. */
const ID = /^[A-Za-z0-9_-]{22}$/;

/** Names of tokens. They appear in lists, logs and "pushed by", so line breaks are not allowed. */
export const TOKEN_NAME = /^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/;

export interface TokenContent {
  /** See {@link TOKEN_NAME}. */
  readonly name: string;
  readonly grants: readonly Grant[];
  /** Seconds. */
  readonly expiresIn: number;
  /** Of a token for which an identity token is exchanged: the URL of that one's issuer. */
  readonly issuer?: string;
}

export interface MintedToken {
  readonly id: string;
  /** The secret. Sent to its owner and stored nowhere. */
  readonly token: string;
  /** Milliseconds since the epoch, like `createdAt`. */
  readonly expiresAt: number;
  readonly createdAt: number;
}

export type MintedResult =
  | { readonly ok: true; readonly id: string; readonly identity: Identity }
  /** The message is one line, without the token. */
  | { readonly ok: false; readonly reason: "malformed" | "foreign" | "expired"; readonly message: string };

/** Whether a credential has the form of a minted token. */
export function isMinted(token: string): boolean {
  return token.startsWith(TOKEN_PREFIX);
}

/**
 * Makes a token, signed by the first of the keys (`deriveTokenKeys`). `now` is in milliseconds since the epoch.
 * Throws {@link HttpError} 400 if it would be too long.
 */
export async function mint(
  { name, grants, expiresIn, issuer }: TokenContent,
  keys: readonly CryptoKey[],
  now: number,
): Promise<MintedToken> {
  const [key] = keys;
  if (key === undefined) throw new Error("no TOKEN_SECRET to mint with: the caller has to ask first");
  const id = crypto
    .getRandomValues(new Uint8Array(16))
    .toBase64({ alphabet: "base64url", omitPadding: true })
    // Command lines take what begins with a dash for a flag.
    .replace(/^-/, "_");
  const issued = Math.floor(now / 1000);
  const expires = issued + expiresIn;
  const claims = {
    grants,
    ...(issuer !== undefined && { issuer }),
    jti: id,
    sub: name,
    // With milliseconds where it decides whether a revocation of the subject came before.
    iat: issuer === undefined ? issued : now / 1000,
    exp: expires,
  };
  const jwt = await signJwt(HEADER, claims, key);
  const token = `${TOKEN_PREFIX}${jwt}`;
  if (token.length > MAX_TOKEN_LENGTH) {
    throw new HttpError(400, "caches: too many, the token would not fit into a netrc; use patterns");
  }
  return { id, token, createdAt: issued * 1000, expiresAt: expires * 1000 };
}

/** Verifies a token with all keys. Revocation is checked elsewhere (`revocation.ts`). */
export async function verifyMinted(
  token: string,
  keys: readonly CryptoKey[],
  now: number,
): Promise<MintedResult> {
  const jwt =
    isMinted(token) && token.length <= MAX_TOKEN_LENGTH
      ? parseJwt(token.slice(TOKEN_PREFIX.length))
      : undefined;
  if (jwt === undefined || jwt.header.alg !== HEADER.alg || jwt.header.typ !== HEADER.typ) return MALFORMED;
  for (const key of keys) {
    if (await isSignedBy(key, jwt)) return contentOf(jwt.claims, now);
  }
  return FOREIGN;
}

const MALFORMED: MintedResult = {
  ok: false,
  reason: "malformed",
  message: "the token is malformed; perhaps it was truncated when it was copied",
};

const FOREIGN: MintedResult = {
  ok: false,
  reason: "foreign",
  message: "the token was not minted by this cache, or its TOKEN_SECRET has been removed since",
};

/** Checks the claims again, although they were checked on minting: an older version may have minted the token. */
function contentOf({ jti, sub, iat, exp, grants, issuer }: Claims, now: number): MintedResult {
  if (typeof jti !== "string" || !ID.test(jti)) return MALFORMED;
  if (typeof sub !== "string" || !TOKEN_NAME.test(sub)) return MALFORMED;
  if (typeof iat !== "number" || typeof exp !== "number" || !isGrants(grants)) return MALFORMED;
  if (exp * 1000 <= now) {
    const message = `the token ${sub} expired at ${new Date(exp * 1000).toISOString()}; get a new one`;
    return { ok: false, reason: "expired", message };
  }
  return {
    ok: true,
    id: jti,
    identity: {
      // The prefix keeps a token named PUSH_TOKEN apart from PUSH_TOKEN.
      name: `token:${sub}`,
      credential: "minted",
      grants,
      expiresAt: exp * 1000,
      tokenId: jti,
      ...(isExchanged(sub) && {
        subject: {
          key: subjectKey(sub),
          issuedAt: Math.round(iat * 1000),
          ...(typeof issuer === "string" && { issuer }),
        },
      }),
    },
  };
}

/** No other token has such a name. */
function isExchanged(name: string): boolean {
  return name.startsWith("oidc:");
}

function isGrants(value: unknown): value is Grant[] {
  return Array.isArray(value) && value.every(isGrant);
}

function isGrant(value: unknown): value is Grant {
  if (typeof value !== "object" || value === null) return false;
  const { permissions, caches } = value as Record<string, unknown>;
  return (
    Array.isArray(permissions) &&
    permissions.every(isPermission) &&
    Array.isArray(caches) &&
    caches.every((cache) => typeof cache === "string" && isCachePattern(cache))
  );
}
