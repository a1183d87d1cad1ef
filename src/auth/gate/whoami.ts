// GET /api/v1/whoami: the permissions of a credential.
import type { WhoAmI } from "../../contract/tokens.ts";
import type { Identity } from "../grants.ts";

/** Listed one by one, so that a new field of an identity is not sent by accident. */
export function whoami({ name, credential, grants, expiresAt, tokenId }: Identity): WhoAmI {
  return {
    name,
    credential: credential,
    grants: grants.map(({ permissions, caches }) => ({ permissions, caches })),
    ...(expiresAt !== undefined && { expires: new Date(expiresAt).toISOString() }),
    ...(tokenId !== undefined && { id: tokenId }),
  };
}
