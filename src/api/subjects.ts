// DELETE /subjects/<subject>: revoking all tokens of an identity.
import { notHeld } from "../auth/grants.ts";
import { ISSUER, REVOKED_SUBJECT, SUBJECT } from "../contract/revocations.ts";
import { HttpError } from "../http/errors.ts";
import { operation } from "./operation.ts";

const EVERYTHING = { permissions: ["admin"], caches: ["*"] } as const;

export const SUBJECT_OPERATIONS = [
  operation({
    id: "revokeSubject",
    method: "DELETE",
    path: "/subjects/{subject}",
    permission: "admin",
    summary: "Revoke all tokens of a subject that were issued until now.",
    description:
      "The subject's identity tokens, the tokens that they were exchanged for, and the tokens minted with any of them. Writing with exchanged and minted tokens ends at once, everything else within 60 seconds. Identity tokens that are issued later are accepted: to refuse a subject, change the rules of OIDC.",
    parameters: { subject: SUBJECT, issuer: ISSUER },
    answer: REVOKED_SUBJECT,
    errors: {
      403: "The credential is not an administrator's of all caches, or none is configured.",
      409: "Too many subjects are revoked already.",
    },
    handle: ({ tokens, identity }, { parameters: { subject, issuer } }) => {
      // The tokens of a subject may be for any caches.
      if (notHeld(EVERYTHING, identity.grants) !== undefined) {
        throw new HttpError(
          403,
          "this needs the admin permission on all caches, such as that of ADMIN_TOKEN",
        );
      }
      return tokens((c) => c.revokeSubject(subject, issuer));
    },
  }),
];
