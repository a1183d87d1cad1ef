// What scripts of other sites may read: what everybody may read, and nothing of a private cache.
import { isForEverybody } from "./auth/gate/authorize.ts";
import { carriesCredential } from "./auth/gate/identify.ts";
import type { Config } from "./config/config.ts";
import type { Route } from "./context.ts";
import { allowEveryOrigin } from "./http/cors.ts";

/** Whether everybody may read what the route serves. */
export function isOpen({ method, permission }: Route, config: Config): boolean {
  return method === "GET" && !config.isPrivate && isForEverybody(permission, config);
}

/**
 * Allows it in the answer, unless that may depend on the sender's credential. What shared caches keep does not, and
 * has to be the same for everybody; nor does a miss.
 */
export function openAnswer(
  route: Route,
  config: Config,
  request: Request,
  status: number,
  headers: Headers,
): void {
  if (!isOpen(route, config)) return;
  const isShared = status === 404 || headers.get("Cache-Control")?.startsWith("public") === true;
  if (isShared || !carriesCredential(request)) allowEveryOrigin(headers);
}
