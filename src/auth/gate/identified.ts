// The outcome of identifying a request.
import type { HttpError } from "../../http/errors.ts";
import type { Identity } from "../grants.ts";
import type { Payload } from "../sigv4/payload.ts";

export type Identified =
  /** No credential was sent. */
  | { readonly kind: "none" }
  /** With a payload the body must be read through `verifiedRequest`. */
  | { readonly kind: "known"; readonly identity: Identity; readonly payload?: Payload }
  /** The credential is wrong. */
  | Refused;

export interface Refused {
  readonly kind: "refused";
  /** In the form "the token is wrong". */
  readonly why: string;
  /** The refusal of a signature, with S3's code. */
  readonly error?: HttpError;
}

export function refused(why: string): Refused {
  return { kind: "refused", why };
}
