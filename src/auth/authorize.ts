// Who is asking and what they may do: one function for every route and every form of credential.
import type { Config } from "../config.ts";
import { HttpError } from "../http/errors.ts";
import { tokenOf } from "./credentials.ts";
import { verifySigV4 } from "./sigv4.ts";
import { carriesSigV4 } from "./sigv4-detect.ts";
import type { Payload } from "./sigv4-payload.ts";

/** What a route needs. `none` is for what has to answer anybody, such as a health check. */
export type Permission = "none" | "pull" | "push" | "admin";

/** Who is asking. The name goes into the catalog ("pushed by") and is no secret. */
export interface Identity {
  readonly name: string;
  readonly permissions: readonly Permission[];
}

/** Who a request is by, and what its signature, where it has one, says of its body. */
export interface Access {
  readonly identity: Identity;
  readonly payload?: Payload;
}

const ANONYMOUS: Identity = { name: "anonymous", permissions: ["none"] };

/**
 * Says who a request is by. Throws {@link HttpError} 401 or 403 unless they may do what `permission` says. Where it
 * returns a payload, the body is to be read through `verifiedRequest`.
 */
export async function authorize(request: Request, permission: Permission, config: Config): Promise<Access> {
  if (permission === "none" || (permission === "pull" && !config.isPrivate)) return { identity: ANONYMOUS };
  if (!isPossible(permission, config)) throw switchedOff(permission);
  const access = await identify(request, config);
  if (access === undefined) {
    throw unauthorized(
      permission,
      tokenOf(request) === undefined ? "no token was sent" : "the token is wrong",
    );
  }
  if (access instanceof HttpError) throw access;
  const { permissions } = access.identity;
  if (!permissions.includes(permission)) {
    const may = permissions.join(" and ");
    throw new HttpError(403, `this token may ${may} only; use the ${permission} token for this cache`);
  }
  return access;
}

/** Whether a request has a credential of any kind, right or wrong. Cheap, because every reading asks. */
export function hasCredential(request: Request): boolean {
  return request.headers.has("Authorization") || carriesSigV4(request);
}

/** Whose credential a request carries: `undefined` for none or a wrong token, the refusal for a wrong signature. */
export async function identify(request: Request, config: Config): Promise<Access | HttpError | undefined> {
  if (carriesSigV4(request)) return identifySigner(request, config);
  const token = tokenOf(request);
  const identity = token === undefined ? undefined : await identityOfToken(token, config);
  return identity && { identity };
}

async function identityOfToken(token: string, config: Config): Promise<Identity | undefined> {
  const digest = await sha256(token);
  // All are always compared, so that the time tells nothing of which secret was nearly met.
  const isAdmin = await matches(digest, config.adminToken);
  const isPush = await matches(digest, config.pushToken);
  const isPull = await matches(digest, config.pullToken);
  return isAdmin ? ADMIN : isPush ? PUSH : isPull ? PULL : undefined;
}

const ADMIN: Identity = { name: "ADMIN_TOKEN", permissions: ["pull", "push", "admin"] };
const PUSH: Identity = { name: "PUSH_TOKEN", permissions: ["pull", "push"] };
const PULL: Identity = { name: "PULL_TOKEN", permissions: ["pull"] };

/** The access keys of the static tokens: what they may do; the token itself is the secret access key. */
async function identifySigner(request: Request, config: Config): Promise<Access | HttpError> {
  const signers = new Map([
    ["admin", { identity: ADMIN, secret: config.adminToken }],
    ["push", { identity: PUSH, secret: config.pushToken }],
    ["pull", { identity: PULL, secret: config.pullToken }],
  ]);
  const outcome = await verifySigV4(request, (accessKey) => signers.get(accessKey)?.secret, Date.now());
  if (!outcome.ok) return outcome.error;
  const signer = signers.get(outcome.accessKey);
  if (signer === undefined) throw new Error("a signature by an access key without a secret");
  return { identity: signer.identity, payload: outcome.payload };
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
