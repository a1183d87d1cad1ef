// Who is asking and what they may do: one function for every route and every form of credential.
import type { Config } from "../config.ts";
import { HttpError } from "../http/errors.ts";
import { tokenOf } from "./credentials.ts";

/** What a route needs. `none` is for what has to answer anybody, such as a health check. */
export type Permission = "none" | "pull" | "push" | "admin";

/** Who is asking. The name goes into the catalog ("pushed by") and is no secret. */
export interface Identity {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

const ANONYMOUS: Identity = { name: "anonymous", permissions: ["none"] };

/** Says who a request is by. Throws {@link HttpError} 401 or 403 unless they may do what `permission` says. */
export async function authorize(request: Request, permission: Permission, config: Config): Promise<Identity> {
  if (permission === "none" || (permission === "pull" && !config.isPrivate)) return ANONYMOUS;
  if (!isPossible(permission, config)) throw switchedOff(permission);
  const identity = await identify(request, config);
  if (identity === undefined) {
    throw unauthorized(
      permission,
      tokenOf(request) === undefined ? "no token was sent" : "the token is wrong",
    );
  }
  if (!identity.permissions.includes(permission)) {
    const may = identity.permissions.join(" and ");
    throw new HttpError(403, `this token may ${may} only; use the ${permission} token for this cache`);
  }
  return identity;
}

/** Whose token a request carries; `undefined` for none or a wrong one. */
export async function identify(request: Request, config: Config): Promise<Identity | undefined> {
  const token = tokenOf(request);
  if (token === undefined) return undefined;
  const digest = await sha256(token);
  // All are always compared, so that the time tells nothing of which secret was nearly met.
  const isAdmin = await matches(digest, config.adminToken);
  const isPush = await matches(digest, config.pushToken);
  const isPull = await matches(digest, config.pullToken);
  if (isAdmin) return { name: "ADMIN_TOKEN", permissions: ["pull", "push", "admin"] };
  if (isPush) return { name: "PUSH_TOKEN", permissions: ["pull", "push"] };
  return isPull ? { name: "PULL_TOKEN", permissions: ["pull"] } : undefined;
}

/** No secret configured that could grant it means that nobody may. */
function isPossible(permission: Permission, config: Config): boolean {
  switch (permission) {
    case "push":
      return config.pushToken !== undefined || config.adminToken !== undefined;
    case "admin":
      return config.adminToken !== undefined;
    default:
      return true;
  }
}

function switchedOff(permission: Permission): HttpError {
  const [what, name] = permission === "admin" ? ["administration", "ADMIN_TOKEN"] : ["writing", "PUSH_TOKEN"];
  return new HttpError(
    403,
    `${what} is switched off: no ${name} is configured; set one with 'npx wrangler secret put ${name}', on your own machine in .dev.vars before the start`,
  );
}

/** Digests have one length and betray nothing of the secret's, unlike the secrets themselves. */
async function matches(digest: ArrayBuffer, secret: string | undefined): Promise<boolean> {
  const expected = await sha256(secret ?? "");
  return crypto.subtle.timingSafeEqual(digest, expected) && secret !== undefined;
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}

function unauthorized(permission: Permission, why: string): HttpError {
  const what = permission === "pull" ? "this cache is private" : `this needs the ${permission} token`;
  const how =
    permission === "admin"
      ? "send 'Authorization: Bearer TOKEN'"
      : "put 'machine HOST login any password TOKEN' into the netrc file that Nix uses (netrc-file)";
  return new HttpError(401, `${what}, and ${why}: ${how}`, {
    "WWW-Authenticate": 'Basic realm="nix-cache", charset="UTF-8"',
  });
}
