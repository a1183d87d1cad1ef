// The cache's API for the commands: JSON in both directions.

import type { CacheDescription } from "../../contract/cache.ts";
import type { GlobalValues } from "../command/spec.ts";
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { readSettings, type Settings } from "../settings/settings.ts";
import { DEFAULT_RETRIES, type RetryOptions, refusal, retrying, type SendRetrying } from "./retry.ts";
import { type Answer, type Request, transport } from "./transport.ts";

export interface Cache {
  readonly settings: Settings;
  /** Any request to the cache, with retries. */
  readonly send: SendRetrying;
  /**
   * A request to the API; `path` is below /api/v1. The shape of the answer is the contract's. Throws {@link Failure}.
   */
  call<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<T>;
}

const CONNECTIONS = 16;

/** The cache that flags, environment and files name; `argument` is a URL given as a command's argument. */
export function openCache(given: GlobalValues, env: Env, options: CacheOptions = {}): Cache {
  return cacheAt(readSettings(given, env, options.argument), env, options);
}

export interface CacheOptions {
  readonly argument?: string | undefined;
  readonly connections?: number;
  readonly retries?: RetryOptions;
}

export function cacheAt(
  settings: Settings,
  env: Env,
  { connections = CONNECTIONS, retries = DEFAULT_RETRIES }: CacheOptions = {},
): Cache {
  const send = explaining(
    retrying(transport(settings.url, settings.token, connections, env), retries),
    settings,
  );
  return {
    settings,
    send,
    async call<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<T> {
      const request = {
        method,
        path: `/api/v1${path}`,
        ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      };
      const found = await send(request, ABSENT);
      if (ABSENT.includes(found.status)) throw absent(request, found, settings.url);
      const { body: answer } = found;
      if (answer.length === 0) return undefined as T;
      const value = objectIn(answer.toString("utf8"));
      if (value !== undefined) return value as T;
      throw new Failure(
        "network",
        `${settings.url}/api/v1${path} did not answer with JSON: is it a nix-cache?`,
      );
    },
  };
}

const UNAUTHORIZED = 401;
const FORBIDDEN = 403;
/** Of a path that a server does not have. */
const ABSENT = [404, 405];

/** The API says as JSON what it does not have; anything else is another server's, or of a cache that is not declared. */
function absent(request: Request, answer: Answer, url: string): Failure {
  if (String(answer.headers["content-type"] ?? "").includes("json")) return refusal(request, answer);
  return new Failure("refused", `there is no nix-cache at ${url}: check the address`, answer.status);
}

/** Adds to a refusal where the token is from, or how this client gets one. */
function explaining(send: SendRetrying, { token, tokenFrom, tokenDoubt }: Settings): SendRetrying {
  return (request, accepts) =>
    send(request, accepts).catch((error: unknown) => {
      if (!(error instanceof Failure)) throw error;
      const { kind, message, status } = error;
      const doubt = tokenDoubt === undefined ? "" : `; ${tokenDoubt}`;
      if (status === FORBIDDEN) throw new Failure(kind, `${message}${doubt}`, status);
      if (status !== UNAUTHORIZED) throw error;
      const from = tokenFrom === undefined ? "" : `; it is from ${tokenFrom}`;
      const advice =
        token === undefined ? "; give one with --token-file FILE (or NIX_CACHE_TOKEN_FILE)" : from;
      // The cache speaks to all clients.
      throw new Failure(kind, `${message.replace(/; send a valid one as .*/, "")}${advice}${doubt}`, status);
    });
}

/** The API answers with objects only. */
function objectIn(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** As in a nix.conf, which a line of another form would break or extend. */
const PUBLIC_KEY = /^[^\s:#]+:[A-Za-z0-9+/]+=*$/;

/** What the cache says of itself. Throws {@link Failure} where that has not the shape of a nix-cache's. */
export async function describe(cache: Cache): Promise<CacheDescription> {
  const description = await cache.call<Partial<CacheDescription>>("GET", "/cache");
  const { public_keys, visibility } = description;
  if (!Array.isArray(public_keys) || typeof visibility !== "string") {
    throw new Failure("network", `${cache.settings.url} does not describe itself: is it a nix-cache?`);
  }
  if (!public_keys.every((key) => typeof key === "string" && PUBLIC_KEY.test(key))) {
    throw new Failure(
      "network",
      `${cache.settings.url} tells a public key that is none: nothing was changed`,
    );
  }
  return description as CacheDescription;
}

/** All items of a list that has pages. */
export async function allPages<T>(cache: Cache, path: string, key: string, limit = Infinity): Promise<T[]> {
  const items: T[] = [];
  let cursor = "";
  do {
    const separator = path.includes("?") ? "&" : "?";
    const size = Math.min(1000, limit - items.length);
    const page = await cache.call<Record<string, unknown>>(
      "GET",
      `${path}${separator}limit=${size}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`,
    );
    items.push(...((page[key] ?? []) as T[]));
    cursor = typeof page.next === "string" ? page.next : "";
  } while (cursor !== "" && items.length < limit);
  return items;
}
