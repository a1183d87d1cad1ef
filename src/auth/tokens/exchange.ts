// POST /api/v1/tokens/exchange: an identity token, which ends within minutes, becomes a token for a job that outlives it.
import { HttpError } from "../../http/errors.ts";
import type { Identity } from "../grants.ts";
import { MAX_BY_OIDC_S, parseBody, parseExpiresIn, refuseOthers } from "./mint-request.ts";
import type { TokenContent } from "./minted.ts";

/** Seconds. */
export const DEFAULT_EXCHANGE_S = 60 * 60;
/** Seconds: the longest that a job of GitHub's own runners lasts. What is proven is that a job runs, and no more. */
export const MAX_EXCHANGE_S = MAX_BY_OIDC_S;

/** A minted token's name has room for no more. */
const MAX_NAME_LENGTH = 128;

/**
 * What to mint: the grants of the identity token, no more and no less. The body is empty or `{"expires_in"}`, seconds.
 * Throws {@link HttpError} 400, or 403 for another kind of credential: a minted token could else renew itself for ever.
 */
export function parseExchange(text: string, identity: Identity): TokenContent {
  if (identity.credential !== "oidc") {
    throw new HttpError(
      403,
      "only the identity token of a trusted issuer (OIDC) can be exchanged; others: POST /api/v1/tokens",
    );
  }
  const { expires_in = DEFAULT_EXCHANGE_S, ...rest } =
    text.trim() === "" ? {} : parseBody(text, '{"expires_in": 3600}');
  refuseOthers(rest, "expires_in");
  return {
    name: identity.name.slice(0, MAX_NAME_LENGTH),
    grants: identity.grants,
    expiresIn: parseExpiresIn(expires_in, MAX_EXCHANGE_S),
  };
}
