/**
 * An OIDC issuer with keys of its own, over real HTTP: signs tokens, rotates its keys, is slow, huge, wrong or down.
 * Runs in Node and in the Workers runtime; the server is `oidc-server.ts`.
 */
import { exportJWK, exportSPKI, generateKeyPair, type JWK, SignJWT } from "jose";
import type { Answer, Script } from "./oidc-server.ts";

export const DISCOVERY = "/.well-known/openid-configuration";
export const KEY_SET = "/keys";

export interface TokenOptions {
  readonly algorithm?: "RS256" | "ES256" | "EdDSA";
  /** The key's name in the header; `null` for none. */
  readonly keyId?: string | null;
}

export interface TestIssuer {
  readonly url: string;
  /** A token that is valid for five minutes, but for what the claims say; `undefined` leaves a claim out. */
  readonly token: (claims?: Record<string, unknown>, options?: TokenOptions) => Promise<string>;
  /** From now on other keys sign; the issuer publishes only them. */
  readonly rotate: () => Promise<void>;
  /** Answers differently at some paths, and as it should at the others. */
  readonly misbehave: (script: Script) => Promise<void>;
  /** The paths that were asked for so far, without the test's own. */
  readonly requests: () => Promise<string[]>;
  /** The key set that it publishes. */
  readonly keySet: () => { keys: JWK[] };
  /** The public key of RS256, in PEM. */
  readonly publicPem: () => Promise<string>;
}

const ALGORITHMS = ["RS256", "ES256", "EdDSA"] as const;

interface Pair {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly jwk: JWK;
}
type Keys = ReadonlyMap<string, Pair>;

/** A new issuer on a server. */
export async function createIssuer(server: string): Promise<TestIssuer> {
  const url = `${server}/${crypto.randomUUID()}`;
  let generation = 1;
  let keys = await generate(generation);
  const keySet = () => ({ keys: [...keys.values()].map(({ jwk }) => jwk) });

  async function publish(changes: Script = {}): Promise<void> {
    const script: Script = {
      [DISCOVERY]: json({ issuer: url, jwks_uri: `${url}${KEY_SET}` }),
      [KEY_SET]: json(keySet()),
      ...changes,
    };
    await (await fetch(url, { method: "PUT", body: JSON.stringify(script) })).arrayBuffer();
  }

  await publish();
  return {
    url,
    keySet,
    async token(claims = {}, { algorithm = "RS256", keyId } = {}) {
      const pair = keys.get(algorithm);
      if (pair === undefined) throw new Error(`no key for ${algorithm}`);
      const now = Math.floor(Date.now() / 1000);
      const payload = { iss: url, sub: "somebody", iat: now, nbf: now, exp: now + 300, ...claims };
      const kid = keyId === undefined ? pair.jwk.kid : keyId;
      return new SignJWT(payload)
        .setProtectedHeader({ alg: algorithm, typ: "JWT", ...(typeof kid === "string" && { kid }) })
        .sign(pair.privateKey);
    },
    async rotate() {
      generation += 1;
      keys = await generate(generation);
      await publish();
    },
    misbehave: publish,
    async requests() {
      return (await (await fetch(`${url}/requests`)).json()) as string[];
    },
    async publicPem() {
      const pair = keys.get("RS256");
      return pair === undefined ? "" : exportSPKI(pair.publicKey);
    },
  };
}

export function json(value: unknown): Answer {
  return { body: JSON.stringify(value) };
}

async function generate(generation: number): Promise<Keys> {
  const pairs = ALGORITHMS.map(async (alg): Promise<[string, Pair]> => {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    const jwk = { ...(await exportJWK(publicKey)), kid: `${alg}-${generation}`, alg, use: "sig" };
    return [alg, { privateKey, publicKey, jwk }];
  });
  return new Map(await Promise.all(pairs));
}
