/** Credentials of every kind, and the three forms in which each can be sent. */
import { mint } from "../../src/auth/tokens/minted.ts";
import { deriveTokenKeys } from "../../src/config/token-secret.ts";
import type { Env } from "../../src/env.ts";
import {
  ADMIN_TOKEN,
  basic,
  type HeaderList,
  ORIGIN,
  PULL_TOKEN,
  PUSH_TOKEN,
  type TestCache,
} from "../support/cache.ts";
import type { TestIssuer } from "../support/oidc-issuer.ts";
import type { Worth } from "./gate/table.ts";
import { signed } from "./sigv4/signer.ts";

export const TOKEN_SECRET = "a-secret-that-mints-tokens-and-is-long-enough";

export interface Credential {
  readonly name: string;
  /** Absent where nothing is sent. */
  readonly token?: string;
  /** The access key to sign with, where the token itself is its secret. Others are session tokens. */
  readonly accessKey?: string;
  readonly worth: Worth;
}

/** What all of these credentials need to be configured. */
export function variablesFor(issuer: TestIssuer): Partial<Env> {
  return {
    ADMIN_TOKEN,
    TOKEN_SECRET,
    OIDC: [
      {
        issuer: issuer.url,
        audience: ORIGIN,
        claims: { repository: "acme/app" },
        permissions: ["push"],
        caches: ["nix-cache", "secret"],
      },
    ],
  };
}

/** A token that was never noted anywhere: the signature alone makes it good. */
export async function minted(permission: "pull" | "push" | "admin", cache: string, expiresIn = 3600) {
  const content = {
    name: `${permission}-${cache.replace("*", "all")}`,
    grants: [{ permissions: [permission], caches: [cache] }],
    expiresIn,
  };
  return (await mint(content, await deriveTokenKeys([TOKEN_SECRET]), Date.now())).token;
}

async function revoked(cache: TestCache): Promise<string> {
  const headers = { Authorization: `Bearer ${ADMIN_TOKEN}` };
  const body = JSON.stringify({ name: "revoked", permissions: ["admin"], caches: ["*"], expires_in: 3600 });
  const answer = await cache.fetch("/api/v1/tokens", { method: "POST", headers, body });
  const { id, token } = JSON.parse(answer.text) as { id: string; token: string };
  await cache.fetch(`/api/v1/tokens/${id}`, { method: "DELETE", headers });
  return token;
}

/** One of each kind. The cache is where one of them is minted and revoked. */
export async function credentials(issuer: TestIssuer, cache: TestCache): Promise<readonly Credential[]> {
  const good = { aud: ORIGIN, repository: "acme/app" };
  return [
    { name: "none", worth: "nobody" },
    { name: "wrong", token: "wrong", worth: "refused" },
    { name: "wrong secret", token: "wrong", accessKey: "push", worth: "refused" },
    { name: "PULL_TOKEN", token: PULL_TOKEN, accessKey: "pull", worth: { "nix-cache": "pull" } },
    { name: "PUSH_TOKEN", token: PUSH_TOKEN, accessKey: "push", worth: { "nix-cache": "push" } },
    { name: "ADMIN_TOKEN", token: ADMIN_TOKEN, accessKey: "admin", worth: { "*": "admin" } },
    ...(await Promise.all(
      (["pull", "push", "admin"] as const).flatMap((permission) =>
        ["nix-cache", "team", "secret", "*"].map(async (name) => ({
          name: `minted: ${permission} on ${name}`,
          token: await minted(permission, name),
          worth: { [name]: permission },
        })),
      ),
    )),
    { name: "minted, expired", token: await minted("admin", "*", -1), worth: "refused" },
    { name: "minted, revoked", token: await revoked(cache), worth: "refused" },
    {
      name: "OIDC",
      token: await issuer.token(good),
      worth: { "nix-cache": "push", secret: "push" },
    },
    {
      name: "OIDC of another repository",
      token: await issuer.token({ ...good, repository: "evil/app" }),
      worth: "refused",
    },
    { name: "OIDC, expired", token: await issuer.token({ ...good, exp: 1_700_000_000 }), worth: "refused" },
  ];
}

export const FORMS = ["Bearer", "Basic", "SigV4"] as const;
export type Form = (typeof FORMS)[number];

/** The headers with which a credential is sent. */
export function headersFor(
  { token, accessKey }: Credential,
  form: Form,
  method: string,
  path: string,
): HeaderList {
  if (token === undefined) return {};
  switch (form) {
    case "Bearer":
      return { Authorization: `Bearer ${token}` };
    case "Basic":
      return { Authorization: basic("any", token) };
    case "SigV4": {
      const [bare = "", query = ""] = path.split("?");
      const session = accessKey === undefined ? { accessKey: "any", sessionToken: token } : { accessKey };
      const request = signed(
        { method, host: new URL(ORIGIN).host, path: bare, query: [...new URLSearchParams(query)] },
        { time: Date.now(), secret: token, ...session },
      );
      return Object.fromEntries(request.headers);
    }
  }
}
