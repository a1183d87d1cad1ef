// POST /api/v1/tokens/exchange: an identity token, which ends within minutes, becomes a token for a job that outlives it.
import { HttpError } from "../../http/errors.ts";
import type { Identity } from "../grants.ts";
import type { TokenContent } from "./minted.ts";

/** A minted token's name has room for no more. */
const MAX_NAME_LENGTH = 128;

/**
 * What to mint: the grants of the identity token, no more and no less. Throws {@link HttpError} 403 for another kind of
 * credential: a minted token could else renew itself for ever.
 */
export function exchangeContent(identity: Identity, expiresIn: number): TokenContent {
  if (identity.credential !== "oidc") {
    throw new HttpError(
      403,
      "only the identity token of a trusted issuer (OIDC) can be exchanged; others: POST /api/v1/tokens",
    );
  }
  return { name: identity.name.slice(0, MAX_NAME_LENGTH), grants: identity.grants, expiresIn };
}
