/** Variables of a configuration, and keys to be named in them. */
import { env } from "cloudflare:workers";
import type { Env } from "../../src/env.ts";
import { generateSecretKey } from "../../src/nix/keys.ts";

export const { BUCKET, CATALOG } = env;
export const KEYS = await Promise.all(["a-1", "b-1", "c-1"].map((name) => generateSecretKey(name)));
export const SECRETS = KEYS.map(({ secret }) => secret);
export const PUBLICS = KEYS.map(({ public: text }) => text);
export const [SECRET = ""] = SECRETS;
export const [PUBLIC = ""] = PUBLICS;
export const MATERIAL = SECRET.slice(SECRET.indexOf(":") + 1);

/** A value that the types forbid, but that wrangler.toml can hold. */
export function variables(values: Record<string, unknown>): Env {
  return { BUCKET, CATALOG, ...values };
}
