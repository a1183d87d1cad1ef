// POST /api/v1/tokens/exchange: exchanges an identity token, which expires within minutes, for a token that lasts as
// long as the job.
import { HttpError } from "../../http/errors.ts";
import { type Identity, narrowed, type Permission } from "../grants.ts";
import type { Subject } from "../subject.ts";
import type { TokenContent } from "./minted.ts";

/** The longest name of a minted token. */
const MAX_NAME_LENGTH = 128;

/**
 * The content of the new token: the grants of the identity token, narrowed to `permissions` if these are given. Throws
 * {@link HttpError} 403 where nothing is left, and for another kind of credential: otherwise a minted token could renew
 * itself for ever.
 */
export function exchangeContent(
  { credential, name, grants, subject }: Identity,
  expiresIn: number,
  permissions?: readonly Permission[],
): TokenContent & { readonly subject: Subject } {
  if (credential !== "oidc" || subject === undefined) {
    throw new HttpError(
      403,
      "only the identity token of a trusted issuer (OIDC) can be exchanged; others: POST /api/v1/tokens",
    );
  }
  const given = permissions === undefined ? grants : narrowed(grants, permissions);
  if (given.length === 0) {
    throw new HttpError(403, `the identity token may not ${(permissions ?? []).join(" or ")} in any cache`);
  }
  return {
    name: name.slice(0, MAX_NAME_LENGTH),
    grants: given,
    expiresIn,
    issuer: subject.issuer ?? "",
    subject,
  };
}
