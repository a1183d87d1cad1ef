// Finds the cache of a path: `/<name>/...` belongs to the cache of that name, every other path to the default one.
import { pathBelow, type RequestPath } from "../http/path.ts";
import { isReserved } from "./caches.ts";
import { type Config, cacheNamed, type Deployment, undeclared } from "./config.ts";

export interface Located {
  readonly config: Config;
  /** The path within that cache. */
  readonly path: RequestPath;
}

/**
 * If a named cache is private, an unknown name is treated as a cache that refuses everything: otherwise the answers
 * would reveal the names.
 */
export function locate(deployment: Deployment, path: RequestPath): Located {
  const [, name] = /^\/([a-z0-9][a-z0-9-]{0,62})(?:\/|$)/.exec(path.path) ?? [];
  if (name === undefined || isReserved(name)) return { config: deployment, path };
  const below = pathBelow(name, path);
  const config = cacheNamed(deployment, name) ?? (deployment.hidesNames && undeclared(deployment, name));
  return below === undefined || !config ? { config: deployment, path } : { config, path: below };
}

/** All paths under which the edge may have cached paths (`/<hash>.narinfo`) of a cache. */
export function edgePaths({ cacheName, folder }: Config, paths: readonly string[]): string[] {
  const named = paths.map((path) => `/${cacheName}${path}`);
  return folder === "" ? [...paths, ...named] : named;
}
