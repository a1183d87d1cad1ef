// The public keys that an issuer publishes now: its metadata, its key set, and the keys in there that can be used.
import { importJWK, type JWK } from "jose";
import { type Fetch, FetchError, fetchJson } from "./bounded-fetch.ts";

/** The signatures that are accepted: only such as need the issuer's private key. */
export const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

export interface IssuerKey {
  readonly id: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
}

const MIN_RSA_BITS = 2048;

/** Characters; it is named in messages. */
const MAX_URL_LENGTH = 512;

/** A set with more is none that an issuer publishes; each costs time to import. */
const MAX_KEYS = 64;

/** Fetches an issuer's keys, in two requests. Throws {@link FetchError} where there is none to be had. */
export async function fetchIssuerKeys(fetcher: Fetch, issuer: string): Promise<readonly IssuerKey[]> {
  const url = await keySetUrl(fetcher, issuer);
  const { keys } = await fetchJson(fetcher, url);
  if (!Array.isArray(keys)) throw new FetchError(`${url} has no list of keys`);
  const usable = (await Promise.all(keys.slice(0, MAX_KEYS).map(importKey))).filter(
    (key) => key !== undefined,
  );
  if (usable.length === 0) throw new FetchError(`${url} has no key for ${ALGORITHMS.join(", ")}`);
  return usable;
}

/** OpenID Connect Discovery 1.0, sections 4.1 and 4.3. */
async function keySetUrl(fetcher: Fetch, issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, "")}/.well-known/openid-configuration`;
  const metadata = await fetchJson(fetcher, url);
  // Section 4.3: MUST be identical, so that nobody's metadata is taken for another's.
  if (metadata.issuer !== issuer) throw new FetchError(`${url} is the metadata of another issuer`);
  const keys = typeof metadata.jwks_uri === "string" ? URL.parse(metadata.jwks_uri) : null;
  // Another host is usual (Google's keys are at www.googleapis.com), http is not: except where the issuer has it, too.
  if (
    keys === null ||
    keys.href.length > MAX_URL_LENGTH ||
    (keys.protocol !== "https:" && keys.origin !== new URL(issuer).origin)
  ) {
    throw new FetchError(`${url} has no jwks_uri with https`);
  }
  return keys.href;
}

/** `undefined` for a key that is not for these signatures: a set may have others beside it (RFC 7517, section 5). */
async function importKey(value: unknown): Promise<IssuerKey | undefined> {
  if (typeof value !== "object" || value === null) return undefined;
  const jwk = value as JWK;
  const algorithm = algorithmOf(jwk);
  // The algorithm is the key's and never the token's: an RSA key must not be used as the secret of an HS256.
  if (algorithm === undefined || (jwk.alg !== undefined && jwk.alg !== algorithm)) return undefined;
  if (jwk.use !== undefined && jwk.use !== "sig") return undefined;
  try {
    // Only what makes a public key, whatever else an issuer may have put in.
    const { kty, crv, n, e, x, y } = jwk;
    const key = await importJWK(JSON.parse(JSON.stringify({ kty, crv, n, e, x, y })), algorithm);
    if (key instanceof Uint8Array || isShortRsa(key)) return undefined;
    return { id: typeof jwk.kid === "string" ? jwk.kid : undefined, algorithm, key };
  } catch {
    // Broken; the others may do.
    return undefined;
  }
}

/** RFC 7518, section 3.3: 2048 bits or more. */
function isShortRsa({ algorithm }: CryptoKey): boolean {
  return "modulusLength" in algorithm && Number(algorithm.modulusLength) < MIN_RSA_BITS;
}

function algorithmOf({ kty, crv }: JWK): Algorithm | undefined {
  if (kty === "RSA") return "RS256";
  if (kty === "EC" && crv === "P-256") return "ES256";
  if (kty === "OKP" && crv === "Ed25519") return "EdDSA";
  return undefined;
}
