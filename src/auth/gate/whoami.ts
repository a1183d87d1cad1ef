// GET /api/v1/whoami: what a credential is worth.
import type { CredentialKind, Grant, Identity } from "../grants.ts";

export interface WhoAmI {
  readonly name: string;
  /** What kind of credential was shown. */
  readonly credential: CredentialKind;
  readonly grants: readonly Grant[];
  /** ISO 8601 in UTC; absent where the credential does not end. */
  readonly expires?: string;
  /** The id of a minted token. */
  readonly id?: string;
}

/** Only these fields: whatever else an identity may come to hold is not for the wire by itself. */
export function whoami({ name, credential, grants, expiresAt, tokenId }: Identity): WhoAmI {
  return {
    name,
    credential: credential,
    grants: grants.map(({ permissions, caches }) => ({ permissions, caches })),
    ...(expiresAt !== undefined && { expires: new Date(expiresAt).toISOString() }),
    ...(tokenId !== undefined && { id: tokenId }),
  };
}
