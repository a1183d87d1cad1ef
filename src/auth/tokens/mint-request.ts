// Checks whether the caller of POST /api/v1/tokens may mint the requested token.
import { MAX_BY_OIDC_S } from "../../contract/tokens.ts";
import { HttpError } from "../../http/errors.ts";
import { type Identity, notHeld } from "../grants.ts";
import type { TokenContent } from "./minted.ts";

/**
 * Throws {@link HttpError} 403 if the token would exceed its minter: if it grants more, or if it outlives the minted
 * token that mints it. Otherwise the thief of a token could renew it for ever. `now` is in milliseconds since the
 * epoch.
 */
export function checkMinter({ grants, expiresIn }: TokenContent, minter: Identity, now: number): void {
  for (const grant of grants) {
    const [permission, cache] = notHeld(grant, minter.grants) ?? [];
    if (permission !== undefined) {
      throw new HttpError(
        403,
        `${minter.name} may not grant ${permission} on ${cache}: it does not hold that`,
      );
    }
  }
  if (minter.credential === "oidc" && expiresIn > MAX_BY_OIDC_S) {
    throw new HttpError(
      403,
      `expires_in: with an identity token ${MAX_BY_OIDC_S} seconds at most, which limits the use of a stolen one`,
    );
  }
  if (minter.credential !== "minted" || minter.expiresAt === undefined) return;
  const left = Math.floor((minter.expiresAt - now) / 1000);
  if (expiresIn > left) {
    throw new HttpError(
      403,
      `expires_in: a token cannot outlive the one that it is minted with, which expires in ${left} seconds`,
    );
  }
}
