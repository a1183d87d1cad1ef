// The job's token: the one of the input, or one that the job's identity token (OIDC) is exchanged for.

import type { Permission } from "../auth/grants.ts";
import { Failure, lineOf } from "../client/ground/failure.ts";
import { type Cache, cacheAt } from "../client/http/api.ts";
import type { Env } from "../client/settings/locations.ts";
import type { CacheDescription } from "../contract/cache.ts";
import { input, mask } from "./github.ts";

const GITHUB_ISSUER = "https://token.actions.githubusercontent.com";
const TIMEOUT_MS = 30_000;
/** A cache that mints no tokens, and one that does not know the exchange. */
const NO_EXCHANGE = [403, 404];

export function cacheWith(url: string, token: string | undefined, env: Env): Cache {
  return cacheAt({ url, token, tokenFrom: undefined }, env);
}

/**
 * A token with this permission and no more; `undefined` for a job without the right to an identity token, such as that of
 * a fork's pull request. Throws {@link Failure} where the cache refuses the job.
 */
export async function login(
  url: string,
  permission: Permission,
  description: CacheDescription | undefined,
  env: Env,
): Promise<string | undefined> {
  const given = input("token", env);
  if (given !== "") {
    mask(given);
    return given;
  }
  const { origin } = new URL(url);
  const audience = input("audience", env) || audienceOf(description, url) || origin;
  const identity = await identityToken(audience, env);
  if (identity === undefined) return undefined;
  mask(identity);
  const token = await exchanged(cacheWith(origin, identity, env), permission, env);
  if (token === undefined) return identity;
  mask(token);
  return token;
}

/** Of the cache's rules, where it is at the cache's own address: with a token of another audience it could log in there. */
function audienceOf(description: CacheDescription | undefined, url: string): string | undefined {
  const { origin, host } = new URL(url);
  const isOwn = (audience: string) =>
    [origin, host].some((own) => audience === own || audience.startsWith(`${own}/`));
  return description?.oidc.find(({ issuer }) => issuer === GITHUB_ISSUER)?.audiences.find(isOwn);
}

async function identityToken(audience: string, env: Env): Promise<string | undefined> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: request, ACTIONS_ID_TOKEN_REQUEST_TOKEN: secret } = env;
  if (!request || !secret) return undefined;
  try {
    const answer = await fetch(`${request}&audience=${encodeURIComponent(audience)}`, {
      headers: { authorization: `Bearer ${secret}` },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const { value } = (await answer.json()) as { value?: unknown };
    if (typeof value !== "string") throw new Error("there is none in the answer");
    return value;
  } catch (error) {
    throw new Failure("network", `GitHub gives no identity token: ${lineOf(error)}`);
  }
}

/** `undefined` for a cache that takes the identity token itself and no other. */
async function exchanged(cache: Cache, permission: Permission, env: Env): Promise<string | undefined> {
  const expires_in = Number(input("expires-in", env) || 3600);
  try {
    const body = { expires_in, permissions: [permission] };
    return (await cache.call<{ token: string }>("POST", "/tokens/exchange", body)).token;
  } catch (error) {
    const isOff = error instanceof Failure && NO_EXCHANGE.includes(error.status ?? 0);
    if (isOff && !/may not/.test(error.message)) return undefined;
    throw error;
  }
}
