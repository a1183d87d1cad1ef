// Store paths as the catalog describes them.
/** A place in the list of paths, which is ordered by first push and hash, newest first. */
export interface Position {
  /** Milliseconds since the epoch. */
  readonly firstPush: number;
  readonly hash: string;
}

export interface PathQuery {
  /** What the name begins with, to the letter. Empty: anything. */
  readonly prefix: string;
  /** What the name contains, in capitals or not. Empty: anything. */
  readonly search: string;
  /** The list goes on after this place. */
  readonly after?: Position;
  /** Paths in one answer. */
  readonly limit: number;
}

/** Sizes are bytes, times ISO 8601 in UTC; as they go to the client. */
export interface PathSummary {
  readonly hash: string;
  readonly name: string;
  readonly store_path: string;
  readonly compression: string;
  readonly nar_size: number;
  /** `null` where the narinfo, another tool's, does not say. */
  readonly file_size: number | null;
  /** Names of the keys that have signed it. */
  readonly signers: readonly string[];
  readonly first_push: string;
  readonly last_push: string;
  readonly pushed_by: string;
  /** References were missing when it was last pushed or reindexed; only an open cache takes such a path. */
  readonly incomplete: boolean;
}

export interface PathPage {
  readonly paths: readonly PathSummary[];
  /** Where the next page begins; absent on the last. */
  readonly next?: Position;
}

/** Referrers that one answer names; half of a cache may refer to its libc. */
export const MAX_REFERRERS = 1000;

export interface PathDetail extends PathSummary {
  /** The bucket's key of the NAR. */
  readonly nar: string;
  readonly nar_hash: string;
  readonly file_hash: string | null;
  /** Base names, as in the narinfo: perhaps with the path itself. */
  readonly references: readonly string[];
  /** Those of the references that are not here now. */
  readonly missing_references: readonly string[];
  /** Base names, without the path itself, in the order of their hashes. At most {@link MAX_REFERRERS}. */
  readonly referrers: readonly string[];
  /** All of them. */
  readonly referrer_count: number;
  readonly closure: Closure;
  /** As in the narinfo: `name:base64`. */
  readonly signatures: readonly string[];
  readonly deriver: string | null;
  readonly ca: string | null;
  readonly differing_builds: readonly DifferingBuild[];
}

/** A path and all that it refers to, directly or not. */
export interface Closure {
  /** How many of them are here. */
  readonly paths: number;
  readonly nar_size: number;
  /** What a client downloads that has nothing of it. */
  readonly file_size: number;
  /** How many are referred to and not here. */
  readonly missing: number;
}

/** Another content that was pushed for the same path, and not taken. */
export interface DifferingBuild {
  readonly nar_hash: string;
  readonly nar_size: number;
  readonly first_push: string;
  readonly last_push: string;
  readonly pushed_by: string;
}

export interface Deleted {
  /** Base names of the deleted paths, referrers before what they refer to. */
  readonly deleted: readonly string[];
}

export type PublishOutcome = "created" | "updated" | "unchanged" | "kept-existing";
