// One upstream of a cache: another cache that is asked for paths that are not here.
import type { PublicKey } from "../nix/keys.ts";

/**
 * Whose misses it answers. `pushers`: a push skips what it has. `redirect`: readers are sent to it, too. `mirror`: what
 * readers ask for is also copied.
 */
export const SERVE = ["pushers", "redirect", "mirror"] as const;
export type Serve = (typeof SERVE)[number];

/** A cache of this Worker as an upstream: it is asked in the bucket, without a request. */
export interface OwnCache {
  readonly name: string;
  /** The prefix of its keys in the bucket. */
  readonly folder: string;
  readonly isPrivate: boolean;
}

export interface Upstream {
  /** Without a slash at the end; `/<name>` for a cache of this Worker. */
  readonly url: string;
  readonly own?: OwnCache;
  readonly serve: Serve;
  /** Whether clients without a credential are sent to it, too, where `serve` says so. */
  readonly anonymous: boolean;
  /** Bytes that are copied from it in 24 hours at most. */
  readonly mirrorBytesPerDay: number;
  /**
   * A narinfo needs a signature by one of them. None is needed of a cache of this Worker, whose paths have come in by its
   * own rules, unless keys are listed. Never rejects.
   */
  readonly keys: () => Promise<readonly PublicKey[] | "none-needed">;
}
