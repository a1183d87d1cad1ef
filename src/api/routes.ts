// The routes of the native API, /api/v1. openapi.ts describes the same operations, and a test holds the two against
// each other.
import type { RoutePermission } from "../auth/gate/authorize.ts";
import type { Context, Handler } from "../context.ts";
import { PIN_NAME_CLASS } from "../contract/pins.ts";
import type { Route } from "../http/router.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { getGc, postGc } from "./gc.ts";
import { json } from "./json.ts";
import { postMissing } from "./missing.ts";
import { OPENAPI } from "./openapi.ts";
import { deletePath, getPath, getPaths } from "./paths.ts";
import { deletePin, getPin, getPins, putPin } from "./pins.ts";
import { getCheck, getReindex, getResign, postCheck, postReindex, postResign } from "./runs.ts";
import { getStats } from "./stats.ts";
import { deleteToken, getToken, getTokens, getWhoAmI, postExchange, postToken } from "./tokens.ts";

interface ApiRoute extends Route<RoutePermission, Handler> {
  /** Refused while the configuration has a mistake: nobody knows what was meant. */
  readonly isWrite?: boolean;
}

const CHANGES = [
  "POST /tokens",
  "POST /tokens/exchange",
  "DELETE /paths/{hash}",
  "PUT /pins/{name}",
  "DELETE /pins/{name}",
];

const OPERATIONS: readonly [
  method: ApiRoute["method"],
  path: string,
  permission: RoutePermission,
  handler: Handler,
][] = [
  ["POST", "/missing", "pull", postMissing],
  ["GET", "/paths", "pull", getPaths],
  ["GET", "/paths/{hash}", "pull", getPath],
  ["DELETE", "/paths/{hash}", "admin", deletePath],
  ["GET", "/stats", "pull", getStats],
  ["POST", "/reindex", "admin", postReindex],
  ["GET", "/reindex", "admin", getReindex],
  ["POST", "/check", "admin", postCheck],
  ["GET", "/check", "admin", getCheck],
  ["POST", "/resign", "admin", postResign],
  ["GET", "/resign", "admin", getResign],
  ["GET", "/whoami", "none", getWhoAmI],
  ["POST", "/tokens", "admin", postToken],
  ["GET", "/tokens", "admin", getTokens],
  ["POST", "/tokens/exchange", "none", postExchange],
  ["GET", "/tokens/{id}", "admin", getToken],
  ["DELETE", "/tokens/{id}", "admin", deleteToken],
  ["GET", "/pins", "pull", getPins],
  ["GET", "/pins/{name}", "pull", getPin],
  ["PUT", "/pins/{name}", "push", putPin],
  ["DELETE", "/pins/{name}", "push", deletePin],
  ["POST", "/gc", "admin", postGc],
  ["GET", "/gc", "admin", getGc],
  ["GET", "/openapi.json", "none", getOpenApi],
];

export const API_ROUTES: readonly ApiRoute[] = OPERATIONS.map(([method, path, permission, handler]) => ({
  method,
  pattern: new RegExp(`^/api/v1${patternOf(path)}$`),
  permission,
  handler,
  changes: CHANGES.includes(`${method} ${path}`),
}));

/** Of a path's parameters: the hash part of a store path, the name of a pin, the id of a minted token. */
function patternOf(path: string): string {
  return path
    .replace(".", "\\.")
    .replace("{hash}", `${NIX32_CLASS}{32}`)
    .replace("{name}", PIN_NAME_CLASS)
    .replace("{id}", "[A-Za-z0-9_-]{22}");
}

/** Whether a path is one of the API's, so that even its errors are JSON. */
export function isApi(path: string): boolean {
  return path === "/api" || path.startsWith("/api/");
}

async function getOpenApi({ request }: Context): Promise<Response> {
  return json(request, OPENAPI);
}
