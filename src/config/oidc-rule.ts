// One rule of OIDC: the identity tokens that it accepts, and their grants.
import type { Grant } from "../auth/grants.ts";

export interface ClaimRule {
  readonly name: string;
  /** At least one of these patterns must match (see `matches` in auth/pattern.ts). */
  readonly patterns: readonly string[];
}

/** A token of this issuer, for one of these audiences and with these claims, gets the grant. */
export interface OidcRule {
  /** Position in OIDC, from 1; messages name the rule by it. */
  readonly number: number;
  /** Compared with the token's `iss`, character by character. */
  readonly issuer: string;
  /** At least one must be in the token's `aud`. */
  readonly audiences: readonly string[];
  /** All must match. */
  readonly claims: readonly ClaimRule[];
  readonly grant: Grant;
}
