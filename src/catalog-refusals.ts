// Refusals of a catalog as HTTP: the status, the message and the headers of each kind.
import { preconditionFailed } from "./bucket/conditional.ts";
import { BucketError } from "./bucket/operation.ts";
import { untilFixed } from "./config/config.ts";
import type { Refusal } from "./contract/refusals.ts";
import { HttpError } from "./http/errors.ts";

/** Seconds after which a client may try again. */
function retryAfter(seconds: number): Record<string, string> {
  return { "Retry-After": String(seconds) };
}

/** The catalog has not published a path because these references are to be asked of the upstreams first. */
export class UnknownReferences extends HttpError {
  /** Base names. */
  readonly unknown: readonly string[];

  constructor(unknown: readonly string[]) {
    super(503, "the upstreams have not been asked for all references; try again", retryAfter(1));
    this.unknown = unknown;
  }
}

/** The error for the client. A missing kind does not compile. */
export function httpErrorOf(refusal: Refusal): HttpError {
  switch (refusal.kind) {
    case "precondition-failed":
      return preconditionFailed();
    case "no-such-path":
      return new HttpError(
        404,
        refusal.wasFalse === undefined
          ? `no path ${refusal.hash} in this cache`
          : `no path ${refusal.hash} in this cache: a push of it was found false and deleted: ${refusal.wasFalse}`,
      );
    case "no-such-pin":
      return new HttpError(404, `no pin ${refusal.name} in this cache; GET /api/v1/pins lists them`);
    case "no-such-token":
      return new HttpError(
        404,
        "there is no such token, or it has expired; GET /api/v1/tokens lists them, without exchanged ones: those are revoked by DELETE /api/v1/subjects/SUBJECT",
      );
    case "nothing-to-pin":
      return new HttpError(409, `${refusal.path} is not in this cache; push it first, then pin it`);
    case "minter-revoked":
      return new HttpError(403, "the token to mint with has been revoked");
    case "too-many-tokens":
      return new HttpError(
        429,
        `${refusal.count} tokens of the name ${refusal.name} by this minter are already valid: use one of them, revoke some, or wait until they expire`,
        retryAfter(60),
      );
    case "too-many-revoked-subjects":
      return new HttpError(
        409,
        `${refusal.count} subjects are revoked already; to revoke all tokens change TOKEN_SECRET, to refuse a subject change OIDC`,
      );
    case "referred":
      return new HttpError(
        409,
        `${refusal.path} is referred to by ${referrers(refusal.referrers)}${refusal.more ? " and more" : ""}; delete those first, or all with ?closure=referrers`,
      );
    case "pinned":
      return new HttpError(
        409,
        `${refusal.path} is kept by the pins ${refusal.pins.join(", ")}${refusal.more ? " and others" : ""}; DELETE /api/v1/pins/NAME first`,
      );
    case "hash-taken":
      return new HttpError(409, `${refusal.path} cannot be published: its hash belongs to ${refusal.stored}`);
    case "broken-nar":
      return new HttpError(
        409,
        `${refusal.path}: the NAR ${refusal.nar} ${refusal.reason}; push the path again`,
      );
    case "false-nar":
      return new HttpError(400, `${refusal.path}: the NAR ${refusal.nar} ${refusal.reason}`);
    case "unverifiable-nar":
      return new HttpError(
        400,
        `${refusal.path}: the NAR ${refusal.nar} cannot be verified (${refusal.reason}), and this cache publishes only what it has verified; push it with another compression`,
      );
    case "being-verified":
      return new HttpError(
        503,
        `${refusal.path}: the NAR ${refusal.nar} is still being verified; nothing is lost, try again`,
        retryAfter(20),
      );
    case "put-off":
      return new HttpError(
        503,
        `${refusal.path}: the paths before it in the request took all that one request may take; nothing is lost, try again`,
        retryAfter(1),
      );
    case "unknown-references":
      return new UnknownReferences(refusal.unknown);
    case "missing-references":
      return new HttpError(
        409,
        `${refusal.path} refers to paths that are ${refusal.askedUpstreams ? "neither in this cache nor in an upstream" : "not in this cache"}: ${refusal.missing.join(", ")}${refusal.more > 0 ? ` and ${refusal.more} more` : ""}; push its whole closure: nix copy, with --narinfo-cache-positive-ttl 0 if these were deleted here`,
      );
    case "narinfo-too-large":
      return new HttpError(
        413,
        `${refusal.path}: with all its signatures the narinfo would be larger than ${refusal.maxBytes} bytes`,
      );
    case "realisation-too-large":
      return new HttpError(
        413,
        `${refusal.key}: with all its signatures it would be larger than ${refusal.maxBytes} bytes`,
      );
    case "untrusted-realisation":
      return new HttpError(
        403,
        `${refusal.key} has no valid signature by a key that this cache trusts (${refusal.trusted.join(", ")}); build it where secret-key-files names such a key`,
      );
    case "modified-concurrently":
      return new HttpError(
        503,
        `${refusal.key} was modified concurrently; nothing is lost, try again`,
        retryAfter(1),
      );
    case "not-indexed":
      return new HttpError(
        503,
        "the bucket is not fully indexed yet: push again, or let the operator POST /api/v1/reindex",
        retryAfter(5),
      );
    case "too-many-companions":
      return new HttpError(
        409,
        `${refusal.key} cannot be stored: ${refusal.owner} has ${refusal.most} such objects already, and more cannot be deleted together with it`,
      );
    case "deletion-under-way":
      return new HttpError(
        409,
        `${refusal.path} and what refers to it are being deleted; GET /api/v1/deletion tells how far that is`,
      );
    case "too-many-references":
      return new HttpError(
        413,
        `${refusal.path} has ${refusal.count} references; this cache takes at most ${refusal.most}`,
      );
    case "being-migrated":
      return new HttpError(
        503,
        `the catalog is being brought into a new form (${refusal.paths} paths so far): try again in a minute; reading and pushing go on meanwhile`,
        retryAfter(60),
      );
    case "being-indexed":
      return new HttpError(
        503,
        "the catalog is being built from the bucket, and nothing is deleted before that has ended; GET /api/v1/reindex shows its progress",
        retryAfter(60),
      );
    case "too-many-questions":
      return new HttpError(
        503,
        "too many searches and other questions wait for an answer: try again in a few seconds",
        retryAfter(5),
      );
    case "misconfigured":
      return new HttpError(403, untilFixed(refusal.consequence, refusal.problem));
    case "collection-under-way":
      return new HttpError(
        409,
        "a collection is under way; GET /api/v1/gc shows its progress, request a dry run when it has ended",
      );
    case "key-still-signs":
      return new HttpError(
        409,
        `${refusal.key} signs for this cache; remove it from SIGNING_KEY before dropping its signatures`,
      );
    case "no-signing-key":
      return new HttpError(
        409,
        "no key signs for this cache; set one with 'npm run wrangler -- secret put SIGNING_KEY'",
      );
    case "bucket-failed":
      return new BucketError(refusal.operation, refusal.reason);
  }
}

function referrers(names: readonly string[]): string {
  return names.map((name) => (name.includes("-") ? name : `${name}-(being published or deleted)`)).join(", ");
}
