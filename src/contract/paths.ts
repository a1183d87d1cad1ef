// Store paths as the catalog describes them.
import * as v from "valibot";
import { COMPRESSIONS } from "../nix/narinfo.ts";
import {
  BASE_NAME,
  BYTES,
  COUNT,
  described,
  FLAG,
  HASH_PART,
  listOf,
  NAR_HASH,
  NON_EMPTY,
  named,
  PATH_NAME,
  STORE_PATH,
  TEXT,
  TIME,
} from "./schema.ts";
import { VERIFICATION } from "./verification.ts";

/** A place in the list of all paths, which is ordered by first push and hash, newest first. */
export const AGE_POSITION = v.object({
  /** Milliseconds since the epoch. */
  firstPush: COUNT,
  hash: HASH_PART,
});
/** A place in the results of a search, which are ordered by name and hash. */
export const NAME_POSITION = v.object({ name: TEXT, hash: HASH_PART });
export const PATH_POSITION = v.union([AGE_POSITION, NAME_POSITION]);

export interface ListQuery {
  /** The page begins after this place. */
  readonly after?: v.InferOutput<typeof AGE_POSITION>;
  /** Paths in one answer. */
  readonly limit: number;
}

export interface SearchQuery {
  /** A prefix of the name, case-sensitive. Empty: any name. */
  readonly prefix: string;
  /** A part of the name, case-insensitive. Empty: any name. */
  readonly part: string;
  /** The page begins after this place. */
  readonly after?: v.InferOutput<typeof NAME_POSITION>;
  /** Paths in one answer. */
  readonly limit: number;
}

/** Names that are compared with the part of a name that is searched for, for one answer. */
export const MAX_SCANNED = 10_000;

const SUMMARY = {
  hash: HASH_PART,
  name: TEXT,
  store_path: STORE_PATH,
  compression: v.picklist(COMPRESSIONS),
  nar_size: BYTES,
  file_size: described(
    "Bytes of the compressed NAR; null where the narinfo does not say.",
    v.nullable(COUNT),
  ),
  signers: described("Names of the keys that have signed the path.", listOf(TEXT)),
  first_push: TIME,
  last_push: TIME,
  pushed_by: described("Whose token the last push had.", TEXT),
  incomplete: described(
    "References were missing when it was last pushed or reindexed, in an open cache.",
    FLAG,
  ),
};
export const PATH_SUMMARY = named("PathSummary", v.object(SUMMARY));
export type PathSummary = v.InferOutput<typeof PATH_SUMMARY>;

export interface PathPage {
  readonly paths: readonly PathSummary[];
  /** Where the next page begins; absent on the last. */
  readonly next?: v.InferOutput<typeof PATH_POSITION>;
  /** Set where the page ended because so many names had been compared. */
  readonly scanned?: number;
}

/** Paths at which the counting of a closure ends. */
export const MAX_CLOSURE = 10_000;
/** A path that is in an upstream. */
export interface UpstreamPath {
  readonly path: string;
  /** Its URL; `/<name>` for a cache of this Worker. */
  readonly upstream: string;
}

const UPSTREAM_REFERENCE = v.object({
  path: BASE_NAME,
  upstream: described(
    "Its URL; `/<name>` for a cache of this Worker, null for one that the caller may not read.",
    v.nullable(TEXT),
  ),
});

/** A path and all that it refers to, directly or not. */
const CLOSURE = v.object({
  paths: described("Paths of the closure that are here.", COUNT),
  nar_size: BYTES,
  file_size: described("Bytes that a client downloads that has nothing of it.", COUNT),
  upstream: described("Paths that are referred to, are not here, and are in an upstream.", COUNT),
  missing: described("Paths that are referred to and are neither here nor in an upstream.", COUNT),
  more: described(
    `The closure is larger: counting it ended after ${MAX_CLOSURE} paths, or before where their references are many.`,
    FLAG,
  ),
});
export type Closure = v.InferOutput<typeof CLOSURE>;

const DIFFERING_BUILD = v.object({
  nar_hash: NAR_HASH,
  nar_size: BYTES,
  first_push: TIME,
  last_push: TIME,
  pushed_by: TEXT,
});
export type DifferingBuild = v.InferOutput<typeof DIFFERING_BUILD>;

const DIFFERING_REALISATION = v.object({
  id: described(
    "The derivation and its output: `sha256:<hex>!<output>`, from Nix 2.35 `<name>.drv!<output>`.",
    TEXT,
  ),
  out_path: BASE_NAME,
  first_push: TIME,
  last_push: TIME,
  pushed_by: TEXT,
});
export type DifferingRealisation = v.InferOutput<typeof DIFFERING_REALISATION>;

/** References that one answer names. */
export const MAX_REFERENCES = 1000;
/** Referrers that one answer names; half of a cache may refer to its libc. */
export const MAX_REFERRERS = 1000;
/** Referrers at which counting them ends. */
export const MAX_COUNTED_REFERRERS = 10_000;
/** Differing builds that one answer names, and differing realisations. */
export const MAX_DIFFERING = 100;

export const PATH_DETAIL = named(
  "PathDetail",
  v.object({
    ...SUMMARY,
    nar: described("The path of the NAR in this cache; its URL where the narinfo names another place.", TEXT),
    nar_hash: NAR_HASH,
    file_hash: described("null where the narinfo does not say.", v.nullable(TEXT)),
    references: described(
      "The first of them, as in the narinfo: perhaps with the path itself.",
      v.pipe(listOf(BASE_NAME), v.maxLength(MAX_REFERENCES)),
    ),
    reference_count: described("All of them.", COUNT),
    upstream_references: described(
      "Those of these references that are not here, and are in an upstream.",
      v.pipe(listOf(UPSTREAM_REFERENCE), v.maxLength(MAX_REFERENCES)),
    ),
    missing_references: described(
      "Those of these references that are neither here nor in an upstream now.",
      v.pipe(listOf(BASE_NAME), v.maxLength(MAX_REFERENCES)),
    ),
    referrers: described(
      "The first of them by hash, without the path itself.",
      v.pipe(listOf(BASE_NAME), v.maxLength(MAX_REFERRERS)),
    ),
    referrer_count: described(`All of them, up to ${MAX_COUNTED_REFERRERS}.`, COUNT),
    more_referrers: described("There are more than `referrer_count`.", FLAG),
    closure: CLOSURE,
    verification: described("Whether the NAR contains what the narinfo says.", VERIFICATION),
    signatures: described("As in the narinfo: `name:base64`.", listOf(TEXT)),
    deriver: described("A base name.", v.nullable(TEXT)),
    ca: described("The content address.", v.nullable(TEXT)),
    differing_builds: described(
      `Other contents that were pushed for the path: it is not reproducible. ${MAX_DIFFERING} at most.`,
      v.pipe(listOf(DIFFERING_BUILD), v.maxLength(MAX_DIFFERING)),
    ),
    differing_realisations: described(
      `Other outputs of content-addressed derivations whose first output is this path. ${MAX_DIFFERING} at most.`,
      v.pipe(listOf(DIFFERING_REALISATION), v.maxLength(MAX_DIFFERING)),
    ),
  }),
);
export type PathDetail = v.InferOutput<typeof PATH_DETAIL>;

/** Pins that one answer names. */
export const MAX_PINS_OF_PATH = 100;

/** A path for its page: with what only those may see who may list. */
export interface ListedPath extends PathDetail {
  /** Names of the pins that keep it themselves, {@link MAX_PINS_OF_PATH} at most. */
  readonly pins: readonly string[];
}

const KEPT_NAR = v.object({ nar: TEXT, reason: described("Why it stays, and until when.", TEXT) });
export type KeptNar = v.InferOutput<typeof KEPT_NAR>;

export const DELETED = named(
  "Deleted",
  v.object({
    deleted: described("Referrers before what they refer to.", listOf(BASE_NAME)),
    removed_nars: v.exactOptional(
      described("With `now`: NARs that are gone, with their debug info.", listOf(TEXT)),
    ),
    kept_nars: v.exactOptional(described("With `now`: NARs that stay.", listOf(KEPT_NAR))),
  }),
);
export type Deleted = v.InferOutput<typeof DELETED>;

/** Characters: the longest path of Linux. */
const MAX_PATH_LENGTH = 4096;
/** Paths in one request. */
export const MAX_PATHS = 20_000;
/** The same of a client without a credential. */
export const MAX_PATHS_OF_ANONYMOUS = 1000;

export const MISSING_REQUEST = v.pipe(
  v.object({
    paths: described(
      "Store paths, their base names, or their hash parts.",
      v.pipe(
        listOf(
          v.pipe(
            NON_EMPTY,
            v.maxLength(MAX_PATH_LENGTH, `must have at most ${MAX_PATH_LENGTH} characters`),
            PATH_NAME,
          ),
        ),
        v.maxLength(MAX_PATHS, `must have at most ${MAX_PATHS} items; ask in several requests`),
      ),
    ),
    upstreams: v.exactOptional(
      described("false: paths that an upstream has are missing for a pusher, too.", FLAG),
      true,
    ),
  }),
  v.examples([{ paths: ["/nix/store/3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-hello-2.12"], upstreams: true }]),
);

export const MISSING = named(
  "Missing",
  v.object({
    missing: described(
      "Those of the paths that are not here, as they were sent; for a pusher without those that an upstream has.",
      listOf(TEXT),
    ),
  }),
);

/** What a push has come to, and R2's ETag of what is stored now, without quotes. */
export interface PublishResult {
  readonly outcome: PublishOutcome;
  readonly etag: string;
}

export type PublishOutcome = "created" | "updated" | "unchanged" | "kept-existing";
