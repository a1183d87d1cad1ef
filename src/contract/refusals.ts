// Refusals of a catalog. They are plain data, which crosses from the Durable Object to the Worker; the Worker turns
// each kind into a status and a message (catalog-refusals.ts). A path is named by its base name.

/** Why a bucket operation failed. After `unavailable` it may or may not have happened. */
export type BucketFailure = "bad-digest" | "incomplete-body" | "too-large" | "unavailable";

export type Refusal =
  /** A conditional write whose condition does not hold. */
  | { readonly kind: "precondition-failed" }
  /** `wasFalse` is the detail of the finding, where a push of it was found false. */
  | { readonly kind: "no-such-path"; readonly hash: string; readonly wasFalse?: string }
  | { readonly kind: "no-such-pin"; readonly name: string }
  | { readonly kind: "no-such-token" }
  /** The path to pin is not in the cache. */
  | { readonly kind: "nothing-to-pin"; readonly path: string }
  /** The token to mint with has been revoked. */
  | { readonly kind: "minter-revoked" }
  | { readonly kind: "too-many-tokens"; readonly name: string; readonly count: number }
  | { readonly kind: "too-many-revoked-subjects"; readonly count: number }
  /** `referrers` are base names, or hash parts of paths that are being published or deleted; not all where `more`. */
  | {
      readonly kind: "referred";
      readonly path: string;
      readonly referrers: readonly string[];
      readonly more: boolean;
    }
  /** `pins` are not all where `more`. */
  | {
      readonly kind: "pinned";
      readonly path: string;
      readonly pins: readonly string[];
      readonly more: boolean;
    }
  /** The hash part belongs to another path, `stored`. */
  | { readonly kind: "hash-taken"; readonly path: string; readonly stored: string }
  /** `reason` finishes the sentence "the NAR KEY ...". */
  | { readonly kind: "broken-nar"; readonly path: string; readonly nar: string; readonly reason: string }
  /** The NAR is not what the narinfo says. `reason` finishes the sentence "the NAR KEY ...". */
  | { readonly kind: "false-nar"; readonly path: string; readonly nar: string; readonly reason: string }
  /** The cache publishes only verified NARs (`verify = "before"`), and this one cannot be verified. */
  | {
      readonly kind: "unverifiable-nar";
      readonly path: string;
      readonly nar: string;
      readonly reason: string;
    }
  /** The NAR is still being read. */
  | { readonly kind: "being-verified"; readonly path: string; readonly nar: string }
  /** One of many paths of a request, for which no time or no operations were left. */
  | { readonly kind: "put-off"; readonly path: string }
  /** References, by base name, that are neither here nor known to be upstream: the upstreams are to be asked. */
  | { readonly kind: "unknown-references"; readonly unknown: readonly string[] }
  /** Base names; `more` says how many are left out. */
  | {
      readonly kind: "missing-references";
      readonly path: string;
      readonly missing: readonly string[];
      readonly more: number;
      /** Whether upstreams were asked for them, too. */
      readonly askedUpstreams?: boolean;
    }
  /** `owner` is the hash part of a path, or the key of a NAR. */
  | {
      readonly kind: "too-many-companions";
      readonly key: string;
      readonly owner: string;
      readonly most: number;
    }
  /** Another large deletion goes on: of the path with this base name. */
  | { readonly kind: "deletion-under-way"; readonly path: string }
  | {
      readonly kind: "too-many-references";
      readonly path: string;
      readonly count: number;
      readonly most: number;
    }
  | { readonly kind: "narinfo-too-large"; readonly path: string; readonly maxBytes: number }
  | { readonly kind: "realisation-too-large"; readonly key: string; readonly maxBytes: number }
  /** `trusted` are the names of the keys of which one must have signed. */
  | { readonly kind: "untrusted-realisation"; readonly key: string; readonly trusted: readonly string[] }
  /** Something else writes the same object of the bucket again and again. */
  | { readonly kind: "modified-concurrently"; readonly key: string }
  /** So many references are missing that the bucket may not be indexed yet. */
  | { readonly kind: "not-indexed" }
  /** Nothing is deleted before the first reindex has ended. */
  | { readonly kind: "being-indexed" }
  /** Rows are being moved to a new layout of the tables: so many paths so far. */
  | { readonly kind: "being-migrated"; readonly paths: number }
  /** So many searches and other questions wait already. */
  | { readonly kind: "too-many-questions" }
  /** `consequence` begins the message, such as "nothing is deleted". */
  | { readonly kind: "misconfigured"; readonly consequence: string; readonly problem: string }
  | { readonly kind: "collection-under-way" }
  /** The signatures of a key that still signs are not dropped. */
  | { readonly kind: "key-still-signs"; readonly key: string }
  | { readonly kind: "no-signing-key" }
  | { readonly kind: "bucket-failed"; readonly operation: string; readonly reason: BucketFailure };
