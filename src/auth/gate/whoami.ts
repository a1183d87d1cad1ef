// GET /api/v1/whoami: what a credential is worth.
import type { WhoAmI } from "../../contract/tokens.ts";
import type { Identity } from "../grants.ts";

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
