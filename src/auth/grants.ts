// Permissions on caches, and the identity that holds them.
import { matches } from "./pattern.ts";
import type { Subject } from "./subject.ts";

/** From the weakest to the strongest: each includes those before it. */
export const PERMISSIONS = ["pull", "push", "admin"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** Each of the permissions on each of the caches. */
export interface Grant {
  readonly permissions: readonly Permission[];
  /** Names of caches, or patterns of names with `*`. */
  readonly caches: readonly string[];
}

/** The kind of a credential. */
export type CredentialKind = "none" | "static" | "minted" | "oidc";

/** The sender of a request. The name is no secret: it goes into the catalog ("pushed by") and into the log. */
export interface Identity {
  readonly name: string;
  readonly credential: CredentialKind;
  readonly grants: readonly Grant[];
  /** When the credential expires, in milliseconds since the epoch; absent if it does not. */
  readonly expiresAt?: number;
  /** The id of a minted token, by which it can be revoked. */
  readonly tokenId?: string;
  /** Of an identity token, and of a token that was exchanged for one: all of its tokens can be revoked at once. */
  readonly subject?: Subject;
  /** What an issuer calls the identity token. */
  readonly jti?: string;
}

/** The name of a cache or a pattern of names. Names have no `/` and `:`, so `**` would equal `*`. */
export const CACHE_PATTERN = /^(?!.*\*\*)[a-z0-9*][a-z0-9*-]{0,62}$/;

export function isCachePattern(text: string): boolean {
  return CACHE_PATTERN.test(text);
}

export function isPermission(value: unknown): value is Permission {
  return (PERMISSIONS as readonly unknown[]).includes(value);
}

/** Whether any of the identity's grants allows `permission` on a cache. */
export function may(identity: Pick<Identity, "grants">, permission: Permission, cacheName: string): boolean {
  return identity.grants.some(
    ({ permissions, caches }) =>
      includes(permissions, permission) && caches.some((pattern) => matches(pattern, cacheName)),
  );
}

/**
 * The first permission and pattern of `given` that `held` does not cover; `undefined` if all are covered. A single
 * held pattern must cover the given one: `a*` and `b*` together do not cover `*`.
 */
export function notHeld(given: Grant, held: readonly Grant[]): readonly [Permission, string] | undefined {
  for (const permission of given.permissions) {
    for (const cache of given.caches) {
      // Patterns match patterns, too: see `matches`.
      const isHeld = held.some(
        (grant) => includes(grant.permissions, permission) && grant.caches.some((p) => matches(p, cache)),
      );
      if (!isHeld) return [permission, cache];
    }
  }
  return undefined;
}

/**
 * The grants, narrowed to those of `permissions` that they include: a push grant narrowed to pull may only pull. Grants of
 * which nothing is left are left out.
 */
export function narrowed(grants: readonly Grant[], permissions: readonly Permission[]): Grant[] {
  return grants.flatMap(({ permissions: held, caches }) => {
    const left = permissions.filter((permission) => includes(held, permission));
    return left.length === 0 ? [] : [{ permissions: left, caches }];
  });
}

/** The strongest permission that any of the grants gives on a cache; `undefined` for none. */
export function strongest(identity: Identity, cacheName: string): Permission | undefined {
  return PERMISSIONS.findLast((permission) => may(identity, permission, cacheName));
}

/** admin implies push implies pull. */
function includes(permissions: readonly Permission[], wanted: Permission): boolean {
  return permissions.some((held) => PERMISSIONS.indexOf(held) >= PERMISSIONS.indexOf(wanted));
}
