// The cache in numbers.
import type { PathSummary } from "./paths.ts";

/** Days that the growth is told for, today included. */
export const GROWTH_DAYS = 30;

export const LARGEST = 10;

/** Sizes are bytes, times ISO 8601 in UTC; as it goes to the client. */
export interface Stats {
  /** When it was counted; up to a minute ago. */
  readonly as_of: string;
  readonly paths: number;
  /** Of all paths, unpacked. */
  readonly nar_size: number;
  /** NAR objects that have been published. Paths of the same content may share one. */
  readonly nars: number;
  /** What these take in the bucket. */
  readonly stored_size: number;
  /** The largest first. */
  readonly by_compression: readonly (Amount & { readonly compression: string })[];
  /** Paths by the day (UTC) of their first push, those without deletions since; oldest first, no day left out. */
  readonly growth: readonly (Amount & { readonly day: string })[];
  /** By the size of their compressed NARs. */
  readonly largest: readonly PathSummary[];
  /** The catalog's own size. */
  readonly catalog_size: number;
}

export interface Amount {
  readonly paths: number;
  readonly nar_size: number;
  /** Compressed; a NAR that several paths share counts for each. */
  readonly file_size: number;
}
