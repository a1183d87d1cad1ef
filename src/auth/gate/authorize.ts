// What somebody may do: the one place that lets a request through or not. Routes only name the permission they need.
import type { Config } from "../../config/config.ts";
import { HttpError } from "../../http/errors.ts";
import { type Identity, may, type Permission, strongest } from "../grants.ts";
import type { Payload } from "../sigv4/payload.ts";
import type { Authority } from "./authority.ts";
import { identify, unauthorized } from "./identify.ts";

/** What a route needs. `none` is for what has to answer anybody, such as a health check. */
export type RoutePermission = Permission | "none";

/** Who a request is by, and what its signature, where it has one, says of its body. */
export interface Access {
  readonly identity: Identity;
  readonly payload?: Payload;
}

export const ANONYMOUS: Identity = { name: "anonymous", credential: "none", grants: [] };

/**
 * Says who a request is by. Throws {@link HttpError} 401, 403, 404 or 503 unless they may do what `permission` says.
 * Of a named cache that is private nobody learns anything without its pull permission: all answers are those of a
 * name that no cache has.
 */
export async function authorize(
  request: Request,
  permission: RoutePermission,
  authority: Authority,
): Promise<Access> {
  const { config } = authority;
  // The default cache is no secret, and its health is for monitors.
  const isHidden = config.isPrivate && (permission !== "none" || !isDefault(config));
  const isWriting = permission === "push" || permission === "admin";
  if (!isHidden && !isWriting) return { identity: ANONYMOUS };
  if (isWriting && isDefault(config) && !isPossible(permission, config)) throw switchedOff(permission);

  const identified = await identify(request, authority);
  if (identified.kind !== "known") {
    const what = isWriting ? `this needs the ${permission} permission` : "this cache is private";
    throw unauthorized(what, identified);
  }
  const { identity } = identified;
  if (isHidden && !may(identity, "pull", config.cacheName)) throw notReadable(identity, config);
  if (!config.isDeclared)
    throw new HttpError(404, "there is no such cache; CACHES in wrangler.toml declares it");
  if (isWriting && !isPossible(permission, config)) throw switchedOff(permission, identity);
  if (isWriting && !may(identity, permission, config.cacheName)) {
    throw notAllowed(identity, permission, config);
  }
  return identified;
}

function notReadable({ name }: Identity, config: Config): HttpError {
  if (isDefault(config)) return new HttpError(403, `${name} may not read this cache`);
  // Word for word what a name gets that no cache has.
  return new HttpError(404, `${name} may use no cache of this name`);
}

function notAllowed(identity: Identity, permission: Permission, { cacheName }: Config): HttpError {
  const most = strongest(identity, cacheName);
  const may = most === undefined ? "may do nothing with this cache" : `may ${most} only`;
  return new HttpError(403, `${identity.name} ${may}; this needs the ${permission} permission`);
}

function isDefault({ folder, isDeclared }: Config): boolean {
  return folder === "" && isDeclared;
}

/** Nothing configured that could grant it means that nobody may. */
function isPossible(permission: Permission, config: Config): boolean {
  if (config.adminToken !== undefined || config.mintsTokens || config.oidc.length > 0) return true;
  return permission === "push" && config.pushToken !== undefined && isDefault(config);
}

/** What PUSH_TOKEN may do, it may do with the default cache only: to its holder writing does not seem switched off. */
function switchedOff(permission: Permission, asker: Identity = ANONYMOUS): HttpError {
  const [what, name] = permission === "admin" ? ["administration", "ADMIN_TOKEN"] : ["writing", "PUSH_TOKEN"];
  if (asker.credential === "static") {
    return new HttpError(
      403,
      `${asker.name} is for the default cache; to this one ADMIN_TOKEN, minted tokens (TOKEN_SECRET) and OIDC give access, and none of them is configured`,
    );
  }
  return new HttpError(
    403,
    `${what} is switched off: no ${name} is configured; set one with 'npx wrangler secret put ${name}', on your own machine in .dev.vars before the start`,
  );
}
