// Who is asking and what they may do: one function for every route and every form of credential.
import type { Config } from "../config.ts";
import { HttpError } from "../http/errors.ts";
import { tokenOf } from "./credentials.ts";

/** What a route needs. `none` is for what has to answer anybody, such as a health check. */
export type Permission = "none" | "pull" | "push";

/** Throws {@link HttpError} 401 or 403 unless the request may do what `permission` says. */
export async function authorize(request: Request, permission: Permission, config: Config): Promise<void> {
  if (permission === "none" || (permission === "pull" && !config.isPrivate)) return;
  if (permission === "push" && config.pushToken === undefined) {
    throw new HttpError(
      403,
      "writing is switched off: no PUSH_TOKEN is configured; set one with 'npx wrangler secret put PUSH_TOKEN'",
    );
  }
  const token = tokenOf(request);
  if (token === undefined) throw unauthorized(permission, "no token was sent");
  const granted = await grantsOf(token, config);
  if (granted.length === 0) throw unauthorized(permission, "the token is wrong");
  if (!granted.includes(permission)) {
    throw new HttpError(
      403,
      `this token may ${granted.join(" and ")} only; use the ${permission} token for this cache`,
    );
  }
}

async function grantsOf(token: string, config: Config): Promise<Permission[]> {
  const digest = await sha256(token);
  // Both are always compared, so that the time tells nothing of which secret was nearly met.
  const isPush = await matches(digest, config.pushToken);
  const isPull = await matches(digest, config.pullToken);
  if (isPush) return ["pull", "push"];
  return isPull ? ["pull"] : [];
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
  const what = permission === "push" ? "writing to this cache needs the push token" : "this cache is private";
  return new HttpError(
    401,
    `${what}, and ${why}: put 'machine HOST login any password TOKEN' into the netrc file that Nix uses (netrc-file)`,
    { "WWW-Authenticate": 'Basic realm="nix-cache", charset="UTF-8"' },
  );
}
