// What every operation of the catalog works with. A plain value, so that tests can run the same operations with a
// bucket that fails, a clock that jumps and a process that dies.
import type { Config } from "../config/config.ts";
import type { Locks } from "./locks.ts";

export interface CatalogContext {
  readonly sql: SqlStorage;
  /** Runs SQL statements as one: all of them happen, or none. */
  readonly transaction: <T>(run: () => T) => T;
  readonly bucket: R2Bucket;
  readonly config: Config;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** Drops paths (`/<hash>.narinfo`) from the cache in front of the Worker. */
  readonly purge: (paths: readonly string[]) => Promise<void>;
  /** One operation at a time on each narinfo and each NAR. */
  readonly locks: Locks;
  /** Publications that this process is at work on, by the sequence number of their intention. None rejects. */
  readonly publications: Map<number, Promise<unknown>>;
  /** Intentions of this process for which the bucket has not been asked yet, by their sequence numbers. */
  readonly unsentIntents: Set<number>;
  /** Counts the beginnings and ends of deletions: what was read from the bucket meanwhile may be gone. */
  readonly deletions: { count: number };
  /** Call it in the turn in which a NAR is released: an alarm sweeps when the grace that begins now has ended. */
  readonly wakeForSweep: () => void;
}
