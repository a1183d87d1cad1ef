// Minted tokens as the catalog keeps them and the API shows them, and the permissions of a credential.
import * as v from "valibot";
import { CACHE_PATTERN, type Grant, PERMISSIONS } from "../auth/grants.ts";
import type { Subject } from "../auth/subject.ts";
import {
  COUNT,
  described,
  listOf,
  matching,
  named,
  oneOf,
  someOf,
  TEXT,
  TIME,
  wholeNumber,
} from "./schema.ts";

/** 128 random bits, in base64url. */
export const TOKEN_ID = described(
  "The id of a token.",
  v.pipe(
    matching(/^[A-Za-z0-9_-]{22}$/, "must be a token's id: 22 letters, digits, - and _"),
    v.examples(["AAAAAAAAAAAAAAAAAAAAAA"]),
  ),
);

/** Seconds. A shorter token could end before its job has begun. */
export const MIN_EXPIRES_IN = 60;
/**
 * Seconds: a year. Bounded, because a revoked token must be remembered until it expires. PUSH_TOKEN is for longer
 * use.
 */
export const MAX_EXPIRES_IN = 366 * 24 * 60 * 60;
/**
 * Seconds: the longest that a job of GitHub's own runners lasts. An identity token only proves that a job is running.
 */
export const MAX_BY_OIDC_S = 6 * 60 * 60;
/** Bounded so that the token fits into a line of a netrc. */
const MAX_CACHES = 16;
/** Seconds. */
const DEFAULT_EXCHANGE_S = 60 * 60;

function expiresIn(max: number) {
  return described("Seconds.", wholeNumber(MIN_EXPIRES_IN, max, "seconds"));
}

export const TOKEN_REQUEST = v.pipe(
  v.object({
    name: described(
      'What "pushed by" will say, after `token:`.',
      // A name beginning with oidc: could pass for an exchanged token in "pushed by".
      matching(
        /^(?!oidc:)[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,127}$/,
        "must begin with a letter or digit, have at most 128 letters, digits and ._:/@+-, and not begin with oidc:",
      ),
    ),
    permissions: someOf(oneOf(PERMISSIONS), PERMISSIONS.length),
    caches: described(
      'Names, or patterns such as "team-*".',
      someOf(
        matching(
          CACHE_PATTERN,
          'must be the name of a cache, or a pattern such as "team-*"; "*" is all of them',
        ),
        MAX_CACHES,
      ),
    ),
    expires_in: expiresIn(MAX_EXPIRES_IN),
  }),
  v.examples([{ name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 86_400 }]),
);

export const EXCHANGE_REQUEST = v.pipe(
  v.object({
    expires_in: v.exactOptional(expiresIn(MAX_BY_OIDC_S), DEFAULT_EXCHANGE_S),
    permissions: v.exactOptional(
      described(
        "Only these of the identity token's permissions; all if not given.",
        someOf(oneOf(PERMISSIONS), PERMISSIONS.length),
      ),
    ),
  }),
  v.examples([{ expires_in: DEFAULT_EXCHANGE_S }, { expires_in: DEFAULT_EXCHANGE_S, permissions: ["pull"] }]),
);

const GRANTS = listOf(
  v.object({
    permissions: v.pipe(listOf(v.picklist(PERMISSIONS)), v.minLength(1)),
    caches: described("Names, or patterns with `*`.", v.pipe(listOf(TEXT), v.minLength(1))),
  }),
);

const TOKEN = {
  id: described("By which it can be revoked.", TEXT),
  name: TEXT,
  grants: GRANTS,
};

export const MINTED_TOKEN = named(
  "MintedToken",
  v.object({ ...TOKEN, token: described("The secret itself.", TEXT), expires: TIME }),
);

export const TOKEN_REPORT = named(
  "Token",
  v.object({
    ...TOKEN,
    minted_by: TEXT,
    created: TIME,
    expires: TIME,
    revoked: v.exactOptional(described("When; absent where it is not.", TIME)),
  }),
);
export type TokenReport = v.InferOutput<typeof TOKEN_REPORT>;

export const WHO_AM_I = named(
  "WhoAmI",
  v.object({
    name: TEXT,
    credential: v.picklist(["none", "static", "minted", "oidc"]),
    grants: GRANTS,
    expires: v.exactOptional(described("Absent where the credential does not end.", TIME)),
    id: v.exactOptional(described("Of a minted token.", TEXT)),
  }),
);
export type WhoAmI = v.InferOutput<typeof WHO_AM_I>;

/** A place in the list of tokens, which is ordered by creation, newest first, and id. */
export const TOKEN_POSITION = v.object({
  /** Milliseconds since the epoch. */
  created: COUNT,
  id: TOKEN_ID,
});

export interface TokenQuery {
  /** Tokens in one answer. */
  readonly limit: number;
  readonly after?: v.InferOutput<typeof TOKEN_POSITION>;
  /** Only tokens with no more permissions than these. */
  readonly within: readonly Grant[];
}

export interface TokenPage {
  readonly tokens: readonly TokenReport[];
  readonly next?: v.InferOutput<typeof TOKEN_POSITION>;
}

export interface NewToken {
  readonly id: string;
  readonly name: string;
  readonly grants: readonly Grant[];
  readonly mintedBy: string;
  /** The id of the token that it is minted with; of an identity token that of its issuer, with a prefix. */
  readonly parent: string | undefined;
  /** Of the identity token that it is minted with, or that the token was exchanged for. */
  readonly subject?: Subject;
  /** Milliseconds since the epoch, like `expiresAt`. */
  readonly createdAt: number;
  readonly expiresAt: number;
}
