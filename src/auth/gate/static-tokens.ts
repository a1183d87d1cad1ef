// The tokens that are secrets of the Worker: one each for reading, writing and administration.
import type { Config } from "../../config/config.ts";
import type { Identity } from "../grants.ts";

export interface StaticToken {
  /** Its access key id in signatures. */
  readonly accessKey: string;
  /** `undefined` where none is configured. */
  readonly token: string | undefined;
  readonly identity: Identity;
}

/** PUSH_TOKEN and PULL_TOKEN are for the default cache only. */
export function staticTokens({ adminToken, pushToken, pullToken, defaultName }: Config): StaticToken[] {
  return [
    {
      accessKey: "admin",
      token: adminToken,
      identity: {
        name: "ADMIN_TOKEN",
        credential: "static",
        grants: [{ permissions: ["admin"], caches: ["*"] }],
      },
    },
    {
      accessKey: "push",
      token: pushToken,
      identity: {
        name: "PUSH_TOKEN",
        credential: "static",
        grants: [{ permissions: ["push"], caches: [defaultName] }],
      },
    },
    {
      accessKey: "pull",
      token: pullToken,
      identity: {
        name: "PULL_TOKEN",
        credential: "static",
        grants: [{ permissions: ["pull"], caches: [defaultName] }],
      },
    },
  ];
}

/**
 * The identity of a static token. Always compares with all of them, so that the time does not reveal which one
 * matches.
 */
export async function staticIdentity(token: string, config: Config): Promise<Identity | undefined> {
  const digest = await sha256(token);
  let found: Identity | undefined;
  for (const { token: secret, identity } of staticTokens(config)) {
    if ((await matches(digest, secret)) && found === undefined) found = identity;
  }
  return found;
}

/** Compares digests, so that the time does not reveal the secret's length. */
async function matches(digest: ArrayBuffer, secret: string | undefined): Promise<boolean> {
  const expected = await sha256(secret ?? "");
  return crypto.subtle.timingSafeEqual(digest, expected) && secret !== undefined;
}

function sha256(text: string): Promise<ArrayBuffer> {
  return crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
}
