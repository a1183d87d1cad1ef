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
  STORE_PATH,
  TEXT,
  TIME,
} from "./schema.ts";
import { VERIFICATION } from "./verification.ts";

/** A place in the list of paths, which is ordered by first push and hash, newest first. */
export const PATH_POSITION = v.object({
  /** Milliseconds since the epoch. */
  firstPush: COUNT,
  hash: HASH_PART,
});
export type Position = v.InferOutput<typeof PATH_POSITION>;

export interface PathQuery {
  /** A prefix of the name, case-sensitive. Empty: any name. */
  readonly prefix: string;
  /** A part of the name, case-insensitive. Empty: any name. */
  readonly search: string;
  /** The page begins after this place. */
  readonly after?: Position;
  /** Paths in one answer. */
  readonly limit: number;
}

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
  readonly next?: Position;
}

const UPSTREAM_PATH = v.object({
  path: BASE_NAME,
  upstream: described("Its URL; `/<name>` for a cache of this Worker.", TEXT),
});
/** A path that is in an upstream. */
export type UpstreamPath = v.InferOutput<typeof UPSTREAM_PATH>;

/** A path and all that it refers to, directly or not. */
const CLOSURE = v.object({
  paths: described("Paths of the closure that are here.", COUNT),
  nar_size: BYTES,
  file_size: described("Bytes that a client downloads that has nothing of it.", COUNT),
  upstream: described("Paths that are referred to, are not here, and are in an upstream.", COUNT),
  missing: described("Paths that are referred to and are neither here nor in an upstream.", COUNT),
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

/** Referrers that one answer names; half of a cache may refer to its libc. */
export const MAX_REFERRERS = 1000;

export const PATH_DETAIL = named(
  "PathDetail",
  v.object({
    ...SUMMARY,
    nar: described("The path of the NAR in this cache.", TEXT),
    nar_hash: NAR_HASH,
    file_hash: described("null where the narinfo does not say.", v.nullable(TEXT)),
    references: described("As in the narinfo: perhaps with the path itself.", listOf(BASE_NAME)),
    upstream_references: described(
      "Those of the references that are not here, and are in an upstream.",
      listOf(UPSTREAM_PATH),
    ),
    missing_references: described(
      "Those of the references that are neither here nor in an upstream now.",
      listOf(BASE_NAME),
    ),
    referrers: described(
      "The first of them by hash, without the path itself.",
      v.pipe(listOf(BASE_NAME), v.maxLength(MAX_REFERRERS)),
    ),
    referrer_count: described("All of them.", COUNT),
    closure: CLOSURE,
    verification: described("Whether the NAR contains what the narinfo says.", VERIFICATION),
    signatures: described("As in the narinfo: `name:base64`.", listOf(TEXT)),
    deriver: described("A base name.", v.nullable(TEXT)),
    ca: described("The content address.", v.nullable(TEXT)),
    differing_builds: described(
      "Other contents that were pushed for the path: it is not reproducible.",
      listOf(DIFFERING_BUILD),
    ),
    differing_realisations: described(
      "Other outputs of content-addressed derivations whose first output is this path.",
      listOf(DIFFERING_REALISATION),
    ),
  }),
);
export type PathDetail = v.InferOutput<typeof PATH_DETAIL>;

export const DELETED = named(
  "Deleted",
  v.object({ deleted: described("Referrers before what they refer to.", listOf(BASE_NAME)) }),
);
export type Deleted = v.InferOutput<typeof DELETED>;

/** Paths in one request. */
export const MAX_PATHS = 20_000;

export const MISSING_REQUEST = v.pipe(
  v.object({
    paths: described(
      "Store paths, their base names, or their hash parts.",
      v.pipe(
        listOf(NON_EMPTY),
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

export type PublishOutcome = "created" | "updated" | "unchanged" | "kept-existing";
