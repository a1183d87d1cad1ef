// The cache's API for the commands: JSON in both directions.
import type { GlobalValues } from "../command/spec.ts";
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { readSettings, type Settings } from "../settings/settings.ts";
import { DEFAULT_RETRIES, type RetryOptions, retrying, type SendRetrying } from "./retry.ts";
import { transport } from "./transport.ts";

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
  const send = retrying(transport(settings.url, settings.token, connections, env), retries);
  return {
    settings,
    send,
    async call<T>(method: "GET" | "POST" | "PUT" | "DELETE", path: string, body?: object): Promise<T> {
      const { body: answer } = await send({
        method,
        path: `/api/v1${path}`,
        ...(body && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      });
      if (answer.length === 0) return undefined as T;
      try {
        return JSON.parse(answer.toString("utf8")) as T;
      } catch {
        throw new Failure(
          "network",
          `${settings.url}/api/v1${path} did not answer with JSON: is it a nix-cache?`,
        );
      }
    },
  };
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
