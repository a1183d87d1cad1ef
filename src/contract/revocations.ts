// Revoked tokens and subjects as the catalog keeps them and the Worker checks them.
import * as v from "valibot";
import type { Subject, SubjectRevocation } from "../auth/subject.ts";
import { described, matching, named, TEXT, TIME, textUpTo } from "./schema.ts";

/**
 * Seconds for which a revoked subject is remembered. The tokens that this cache issues end within six hours; identity
 * tokens end when their issuer says, those of GitLab with the longest job, a month.
 */
export const REVOCATION_S = 31 * 24 * 60 * 60;
/** Every isolate holds all of them. */
export const MAX_REVOKED_SUBJECTS = 1000;
/** Ids of revoked tokens in the list for isolates. With more, they ask for each token. */
export const MAX_LISTED_TOKENS = 1000;

export const SUBJECT = described(
  "The subject of an identity token (its claim `sub`), percent-encoded; or a token's name in `pushed_by`.",
  v.pipe(
    matching(
      /^(?=.*[A-Za-z0-9]).{1,1000}$/,
      "must be a subject: at most 1000 characters, with a letter or digit",
    ),
    v.examples(["repo:acme/app:ref:refs/heads/main"]),
  ),
);
export const ISSUER = v.exactOptional(
  described("The URL of the issuer; absent: of every issuer.", textUpTo(1000)),
  "",
);

export const REVOKED_SUBJECT = named(
  "RevokedSubject",
  v.object({
    subject: TEXT,
    issuer: described("null: every issuer.", v.nullable(TEXT)),
    revoked: described("Tokens that were issued before are refused.", TIME),
    until: described("When this is forgotten: all such tokens have expired.", TIME),
  }),
);
export type RevokedSubject = v.InferOutput<typeof REVOKED_SUBJECT>;

/** By what a token can be revoked. */
export interface Credential {
  /** Of a minted token. */
  readonly tokenId?: string;
  readonly subject?: Subject;
}

export interface RevocationList {
  /** Changes with every revocation. */
  readonly version: string;
  /** Ids, at most {@link MAX_LISTED_TOKENS}. */
  readonly tokens: readonly string[];
  /** Whether `tokens` are all of them. */
  readonly isWhole: boolean;
  /** All of them. */
  readonly subjects: readonly SubjectRevocation[];
}

export interface RevocationAnswer {
  readonly isRevoked: boolean;
  /** Absent if the caller has it. */
  readonly list?: RevocationList;
}
