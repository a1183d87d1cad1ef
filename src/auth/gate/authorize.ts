// The gate: the one place that lets a request through or refuses it. Routes only name the permission that they need.
import type { Config } from "../../config/config.ts";
import { HttpError } from "../../http/errors.ts";
import { S3Error } from "../../http/s3-error.ts";
import { type Identity, may, type Permission, strongest } from "../grants.ts";
import type { Payload } from "../sigv4/payload.ts";
import type { Authority } from "./authority.ts";
import type { Identified } from "./identified.ts";
import { CHALLENGE, identify, unauthorized } from "./identify.ts";

/**
 * The permission that a route needs. `none`: public, such as a health check. `list`: search and listing, which cost
 * more than reading a path; the pull permission, also in a public cache, unless its listing is public.
 */
export type RoutePermission = Permission | "none" | "list";

/** The sender of a request, and the signed form of its body, if it is signed. */
export interface Access {
  readonly identity: Identity;
  readonly payload?: Payload;
}

/** With the message of the refusal after it. The operator may read it, too: it names the setting. */
const LIST_NEED = `searching and listing need a credential for this cache (unless its setting is listing = "public")`;

/**
 * Milliseconds until a search without a valid credential is refused. Waiting costs nothing, and a client that asks
 * without pause takes little of the CPU time that pushes need.
 */
const REFUSAL_DELAY_MS = 50;

export const ANONYMOUS: Identity = { name: "anonymous", credential: "none", grants: [] };

/** A client without a credential, with what everybody may do with a cache. */
export function anonymousOn(config: Config): Identity {
  if (!isForEverybody("pull", config)) return ANONYMOUS;
  return { ...ANONYMOUS, grants: [{ permissions: ["pull"], caches: [config.cacheName] }] };
}

/** Whether no credential is needed for `permission`. */
export function isForEverybody(permission: RoutePermission, config: Config): boolean {
  // The default cache's existence is no secret, and monitors need its health.
  if (config.isPrivate) return permission === "none" && isDefault(config);
  return (
    permission === "none" || permission === "pull" || (permission === "list" && config.listing === "public")
  );
}

/**
 * Lets a request through if its sender has `permission`. Throws {@link HttpError} 401, 403, 404 or 503 for others. A
 * private named cache is hidden: without the pull permission on it every answer is that of an undeclared name: 401, whose
 * text Nix shows, while of a 404 it says only that this is no binary cache; to an S3 client, that there is no bucket.
 */
export async function authorize(
  request: Request,
  permission: RoutePermission,
  authority: Authority,
): Promise<Access> {
  const { config } = authority;
  if (isForEverybody(permission, config)) return { identity: ANONYMOUS };
  const isHidden = config.isPrivate;
  const isWrite = permission === "push" || permission === "admin";
  const isForMembers = permission === "list" && config.listing === "members";
  if (isWrite && isDefault(config)) requirePossible(permission, config, ANONYMOUS);
  const need = isWrite
    ? `this needs the ${permission} permission`
    : isHidden
      ? "this cache is private"
      : LIST_NEED;
  const identified = await identify(request, authority);
  if (isForMembers && !isHidden && identified.kind !== "known") await scheduler.wait(REFUSAL_DELAY_MS);
  const access = known(request, need, identified);
  if (isHidden) requireReadable(access, config);
  if (!config.isDeclared) {
    throw new S3Error(404, "NoSuchBucket", "there is no such cache; CACHES in nix-cache.toml declares it");
  }
  if (isWrite) {
    requirePossible(permission, config, access.identity);
    requireAllowed(access.identity, permission, config);
  }
  if (isForMembers) requireAllowed(access.identity, "pull", config);
  return access;
}

function known(request: Request, need: string, identified: Identified): Access {
  if (identified.kind === "known") return identified;
  throw unauthorized(request, need, identified);
}

function requireReadable({ identity, payload }: Access, config: Config): void {
  if (may(identity, "pull", config.cacheName)) return;
  const { name } = identity;
  if (isDefault(config)) throw new HttpError(403, `${name} may not read this cache`);
  // Must be exactly the answer for an undeclared name.
  const message = `${name} may use no cache of this name; send a token that may, or check the name in the URL`;
  throw payload === undefined
    ? new HttpError(401, message, CHALLENGE)
    : new S3Error(404, "NoSuchBucket", message);
}

function requireAllowed(identity: Identity, permission: Permission, { cacheName }: Config): void {
  if (may(identity, permission, cacheName)) return;
  const most = strongest(identity, cacheName);
  const allowed = most === undefined ? "may do nothing with this cache" : `may ${most} only`;
  throw new HttpError(403, `${identity.name} ${allowed}; this needs the ${permission} permission`);
}

/** Refuses a write for which no credential is configured; the message says how to configure one. */
function requirePossible(permission: Permission, config: Config, caller: Identity): void {
  if (isPossible(permission, config)) return;
  // PUSH_TOKEN allows writes to the default cache only.
  if (caller.credential === "static") {
    throw new HttpError(
      403,
      `${caller.name} is for the default cache; to this one ADMIN_TOKEN, minted tokens (TOKEN_SECRET) and OIDC give access, and none of them is configured`,
    );
  }
  const [what, name] = permission === "admin" ? ["administration", "ADMIN_TOKEN"] : ["writing", "PUSH_TOKEN"];
  throw new HttpError(
    403,
    `${what} is switched off: no ${name} is configured; set one with 'npm run wrangler -- secret put ${name}', on your own machine in .dev.vars before the start`,
  );
}

function isPossible(permission: Permission, config: Config): boolean {
  if (config.adminToken !== undefined || config.mintsTokens || config.oidc.length > 0) return true;
  return permission === "push" && config.pushToken !== undefined && isDefault(config);
}

function isDefault({ folder, isDeclared }: Config): boolean {
  return folder === "" && isDeclared;
}
