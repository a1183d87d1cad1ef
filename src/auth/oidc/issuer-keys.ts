// Fetches the public keys of an issuer: its metadata, its key set, and the usable keys of that.
import { type Fetch, FetchError, fetchJson } from "./bounded-fetch.ts";

/** Accepted signature algorithms: asymmetric ones only. */
export const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

/** How their keys are imported: RFC 7518, section 3.1, and RFC 8037. */
const PARAMETERS: Readonly<Record<Algorithm, SubtleCryptoImportKeyAlgorithm>> = {
  RS256: { name: "RSASSA-PKCS1-v1_5", hash: "SHA-256" },
  ES256: { name: "ECDSA", namedCurve: "P-256" },
  EdDSA: { name: "Ed25519" },
};

export interface IssuerKey {
  readonly id: string | undefined;
  readonly algorithm: Algorithm;
  readonly key: CryptoKey;
}

const MIN_RSA_BITS = 2048;

/** Characters, because messages name the URL. */
const MAX_URL_LENGTH = 512;

/** Far more than issuers publish; each costs time to import. */
const MAX_KEYS = 64;

/** Fetches an issuer's keys, in two requests. Throws {@link FetchError} if there is no usable one. */
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
  // Section 4.3: it MUST be identical, so that one issuer cannot impersonate another.
  if (metadata.issuer !== issuer) throw new FetchError(`${url} is the metadata of another issuer`);
  const keys = typeof metadata.jwks_uri === "string" ? URL.parse(metadata.jwks_uri) : null;
  // Another host is common (Google's keys are at www.googleapis.com). http is allowed only at the issuer's own origin.
  if (
    keys === null ||
    keys.href.length > MAX_URL_LENGTH ||
    (keys.protocol !== "https:" && keys.origin !== new URL(issuer).origin)
  ) {
    throw new FetchError(`${url} has no jwks_uri with https`);
  }
  return keys.href;
}

/** `undefined` for a key of another use or algorithm, which a set may contain (RFC 7517, section 5). */
async function importKey(value: unknown): Promise<IssuerKey | undefined> {
  if (typeof value !== "object" || value === null) return undefined;
  const jwk: Readonly<Record<string, unknown>> = { ...value };
  const algorithm = algorithmOf(jwk);
  // The key decides on the algorithm, never the token: an RSA public key must not become the secret of HS256.
  if (algorithm === undefined || (jwk.alg !== undefined && jwk.alg !== algorithm)) return undefined;
  if (jwk.use !== undefined && jwk.use !== "sig") return undefined;
  try {
    // Only the members of a public key.
    const { kty, crv, n, e, x, y } = jwk;
    const publicKey = JSON.parse(JSON.stringify({ kty, crv, n, e, x, y }));
    const key = await crypto.subtle.importKey("jwk", publicKey, PARAMETERS[algorithm], false, ["verify"]);
    if (isShortRsa(key)) return undefined;
    return { id: typeof jwk.kid === "string" ? jwk.kid : undefined, algorithm, key };
  } catch {
    // One broken key must not make the others unusable.
    return undefined;
  }
}

/** RFC 7518, section 3.3: 2048 bits or more. */
function isShortRsa({ algorithm }: CryptoKey): boolean {
  return "modulusLength" in algorithm && Number(algorithm.modulusLength) < MIN_RSA_BITS;
}

function algorithmOf({ kty, crv }: Readonly<Record<string, unknown>>): Algorithm | undefined {
  if (kty === "RSA") return "RS256";
  if (kty === "EC" && crv === "P-256") return "ES256";
  if (kty === "OKP" && crv === "Ed25519") return "EdDSA";
  return undefined;
}
