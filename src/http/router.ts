// The router: a table of routes, matched in order; HEAD is derived from GET.
import { HttpError } from "./errors.ts";
import type { RequestPath } from "./path.ts";

export interface Route<Permission, Handler> {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  /** Anchored at both ends, matched against the decoded path. */
  readonly pattern: RegExp;
  readonly permission: Permission;
  readonly handler: Handler;
  /** Whether the path ends in a name that may contain a raw `?`: then path and query are also tried as one name. */
  readonly nameMayHaveQuestionMark?: boolean;
  /** What is wrong with a path that differs from the route's only by the form of a parameter; `undefined` for any other. */
  readonly misfit?: (path: string) => string | undefined;
  /** Limits the route to queries with one of these parameters. It must precede the route without this limit. */
  readonly query?: readonly string[];
}

export interface RouteMatch<R> {
  readonly route: R;
  /** The groups of the pattern. */
  readonly groups: RegExpExecArray;
}

/**
 * Finds the route of a request. Throws {@link HttpError} 404 for a path without a route, 400 if that is because of the
 * form of a parameter, and 405 with `Allow` for a known path with another method (RFC 9110, 15.5.6).
 */
export function matchRoute<R extends Route<unknown, unknown>>(
  routes: readonly R[],
  method: string,
  path: RequestPath,
): RouteMatch<R> {
  const wanted = method === "HEAD" ? "GET" : method;
  const allowed = new Set<string>();
  for (const route of routes) {
    if (route.query !== undefined && !hasOneOf(route.query, path.query)) continue;
    const groups = matchPath(route, path);
    if (groups === null) continue;
    if (route.method === wanted) return { route, groups };
    allowed.add(route.method);
    if (route.method === "GET") allowed.add("HEAD");
  }
  if (allowed.size === 0) {
    for (const { method, misfit } of routes) {
      const problem = method === wanted ? misfit?.(path.path) : undefined;
      if (problem !== undefined) throw new HttpError(400, problem);
    }
    const where = path.path.startsWith("/api/")
      ? "the API has no such path; /api/v1/openapi.json lists its paths"
      : "no such path in a binary cache; see / for what this server is, /api/v1/openapi.json for its API";
    throw new HttpError(404, where);
  }
  const allow = [...allowed].sort().join(", ");
  throw new HttpError(405, `this path answers ${allow} only`, { Allow: allow });
}

function hasOneOf(names: readonly string[], query: string): boolean {
  if (query === "") return false;
  const parameters = new URLSearchParams(query);
  return names.some((name) => parameters.has(name));
}

function matchPath(route: Route<unknown, unknown>, path: RequestPath): RegExpExecArray | null {
  if (route.nameMayHaveQuestionMark && path.pathWithQuery !== undefined) {
    const groups = route.pattern.exec(path.pathWithQuery);
    if (groups !== null) return groups;
  }
  return route.pattern.exec(path.path);
}
