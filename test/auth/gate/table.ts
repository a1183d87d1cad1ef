/** The rows and columns of the table of who may do what: routes, caches, credentials, and what each is worth. */
import { OPERATIONS } from "../../../src/api/operations.ts";
import type { Route } from "../../../src/context.ts";
import { parsePath } from "../../../src/http/path.ts";
import { matchRoute } from "../../../src/http/router.ts";
import { ROUTES } from "../../../src/routes.ts";
import { ORIGIN } from "../../support/cache.ts";
import { HASH, OBJECTS } from "../../support/objects.ts";
import { pathOf } from "../../support/operations.ts";

export type Permission = Route["permission"];

/** One path for each route, and its query where that makes the route. */
const EXAMPLES: readonly string[] = [
  "/",
  "/?location",
  "/?list-type=2",
  "/?create-bucket",
  "/health",
  "/metrics",
  "/nix-cache-info",
  ...OBJECTS.map(({ key }) => `/${key}`),
  ...["uploads", "uploadId=x"].map((query) => `/${OBJECTS.find(({ kind }) => kind === "nar")?.key}?${query}`),
  ...OPERATIONS.map((operation) => `/api/v1${pathOf(operation)}`),
  ...[
    "/_/",
    "/_/style-0123456789ab.css",
    "/_/search",
    "/_/state",
    `/_/path/${HASH}`,
    `/_/log/${HASH}-demo.drv`,
  ],
  ...["files", "raw", "serve"].map((kind) => `/_/${kind}/${HASH}/bin/demo`),
];

export interface Example {
  readonly route: Route;
  /** HEAD, too, where the route is a GET. */
  readonly methods: readonly string[];
  readonly path: string;
}

/** Every route with a path of its own. Throws for a route that no example reaches. */
export function examples(): readonly Example[] {
  return ROUTES.map((route) => {
    const path = EXAMPLES.find((example) => routeOf(route.method, example) === route);
    if (path === undefined) {
      throw new Error(`${route.method} ${route.pattern.source} ${route.query ?? ""}: no example in table.ts`);
    }
    return { route, path, methods: route.method === "GET" ? ["GET", "HEAD"] : [route.method] };
  });
}

function routeOf(method: string, path: string): Route | undefined {
  try {
    return matchRoute(ROUTES, method, parsePath(`${ORIGIN}${path}`)).route;
  } catch {
    // Not a method of this path.
    return undefined;
  }
}

export interface Cache {
  /** As grants name it. */
  readonly name: string;
  /** Before the path. */
  readonly prefix: string;
  readonly kind: "default" | "named" | "undeclared";
  readonly isPrivate: boolean;
  /** Whether it is asked for what only members get of a public cache. */
  readonly isForMembers?: true;
}

/** The value of a credential: none, or the strongest permission on each cache. */
export type Worth = "nobody" | "refused" | Readonly<Record<string, Permission>>;

/** `passed` where the route's handler is asked; else the status of the refusal. */
export type Cell = "passed" | 401 | 403 | 404;

const STRENGTH: readonly Permission[] = ["none", "pull", "push", "admin"];

/** What docs/internals/security.md says, and nothing of how it is done. */
export function expectedCell(permission: Permission, cache: Cache, worth: Worth): Cell {
  // In these tests no listing is public.
  if (permission === "list") return expectedCell("pull", { ...cache, isForMembers: true }, worth);
  const isHidden = cache.kind !== "default" && cache.isPrivate;
  const needed =
    isHidden || (cache.isPrivate && permission !== "none") ? atLeast("pull", permission) : permission;
  if (needed === "none" || (needed === "pull" && !cache.isPrivate && !cache.isForMembers)) return "passed";
  if (worth === "nobody" || worth === "refused") return 401;
  const held = worth[cache.name] ?? worth["*"] ?? "none";
  // Without permission a private cache looks like an undeclared one; an S3 client gets 404 for it, as for any bucket.
  if (isHidden && held === "none") return 401;
  if (cache.kind === "undeclared") return 404;
  return STRENGTH.indexOf(held) >= STRENGTH.indexOf(needed) ? "passed" : 403;
}

function atLeast(a: Permission, b: Permission): Permission {
  return STRENGTH.indexOf(a) > STRENGTH.indexOf(b) ? a : b;
}
