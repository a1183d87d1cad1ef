// What a credential may do: permissions on caches, whatever form it came in.
import { matches } from "./pattern.ts";

/** In the order of their strength: each includes those before it. */
export const PERMISSIONS = ["pull", "push", "admin"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Permissions, each for each of some caches. */
export interface Grant {
  readonly permissions: readonly Permission[];
  /** Names of caches, or patterns of names with `*`. */
  readonly caches: readonly string[];
}

/** What kind of credential somebody has shown. */
export type CredentialKind = "none" | "static" | "minted" | "oidc";

/** Who is asking. The name goes into the catalog ("pushed by") and into the log; it is no secret. */
export interface Identity {
  readonly name: string;
  readonly credential: CredentialKind;
  readonly grants: readonly Grant[];
  /** When the credential ends, in milliseconds since the epoch; absent where it does not. */
  readonly expiresAt?: number;
  /** The id of a minted token, by which it can be revoked. */
  readonly tokenId?: string;
}

/** The name of a cache or a pattern of names. `**` would say nothing that `*` does not. */
export const CACHE_PATTERN = /^(?!.*\*\*)[a-z0-9*][a-z0-9*-]{0,62}$/;

export function isCachePattern(text: string): boolean {
  return CACHE_PATTERN.test(text);
}

export function isPermission(value: unknown): value is Permission {
  return (PERMISSIONS as readonly unknown[]).includes(value);
}

/** Whether somebody may do something with a cache. */
export function may(identity: Identity, permission: Permission, cacheName: string): boolean {
  return identity.grants.some(
    ({ permissions, caches }) =>
      includes(permissions, permission) && caches.some((pattern) => matches(pattern, cacheName)),
  );
}

/**
 * The first permission on a pattern of caches that a grant would give and that these grants do not hold, or
 * `undefined`. One of the held patterns must stand for all that the given one stands for: that `a*` and `b*` are
 * both held does not make up a `*`.
 */
export function notHeld(given: Grant, held: readonly Grant[]): readonly [Permission, string] | undefined {
  for (const permission of given.permissions) {
    for (const cache of given.caches) {
      // A pattern in the place of the name: see `matches`.
      const isHeld = held.some(
        (grant) => includes(grant.permissions, permission) && grant.caches.some((p) => matches(p, cache)),
      );
      if (!isHeld) return [permission, cache];
    }
  }
  return undefined;
}

/** The strongest permission that any of the grants gives on a cache; `undefined` for none. */
export function strongest(identity: Identity, cacheName: string): Permission | undefined {
  return PERMISSIONS.findLast((permission) => may(identity, permission, cacheName));
}

/** admin implies push implies pull. */
function includes(permissions: readonly Permission[], wanted: Permission): boolean {
  return permissions.some((held) => PERMISSIONS.indexOf(held) >= PERMISSIONS.indexOf(wanted));
}
