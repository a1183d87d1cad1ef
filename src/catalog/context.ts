// The context of every operation of the catalog. A plain value, so that tests can run the same operations over a failing
// bucket, a jumping clock and a crashing process.
import type { Config } from "../config/config.ts";
import type { Upstreams } from "../upstream/upstreams.ts";
import type { Locks } from "./locks.ts";
import type { Publications } from "./publication.ts";
import type { Tally } from "./tally.ts";

/** How far the verification of a NAR has got. */
export interface Unfinished {
  /** The value of the NAR's `queued` when it began: a path that has come since makes it begin again. */
  readonly queued: number;
  /** The hash part of the last path up to which all are settled; empty where none is. */
  readonly after: string;
  /** The last push of the false paths that are gone, in milliseconds since the epoch; absent where there was none. */
  readonly lastFalsePush?: number;
}

export interface CatalogContext {
  readonly sql: SqlStorage;
  /** Runs SQL statements atomically: all or none. */
  readonly transaction: <T>(run: () => T) => T;
  readonly bucket: R2Bucket;
  readonly config: Config;
  /** The caches that are asked for paths that are not here. */
  readonly upstreams: Upstreams;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after so many milliseconds. */
  readonly wait: (ms: number) => Promise<unknown>;
  /** Drops paths (`/<hash>.narinfo`) from the cache in front of the Worker. */
  readonly purge: (paths: readonly string[]) => Promise<void>;
  /** One operation at a time on each narinfo and each NAR. */
  readonly locks: Locks;
  /** Use it through rows/publications.ts. */
  readonly publications: Publications;
  /** Sequence numbers of the intents of this process that the bucket has not been asked to do yet. */
  readonly unsentIntents: Set<number>;
  /** Counts the beginnings and ends of deletions: an object that was read while it changed may be gone. */
  readonly deletions: { count: number };
  /** The sequence number of the intent, and the path, after which the next look for expired ones begins. */
  readonly resolution: { after: number; path?: string };
  /** Whether rows are being moved to a new layout of the tables: rows/old-layout.ts. */
  readonly migration: { isMoving: boolean };
  /** The figures behind the statistics. Its `transaction` is part of that of the context. */
  readonly tally: Tally;
  /** Readings of NARs in flight, by key. */
  readonly readings: Map<string, Promise<unknown>>;
  /** NARs whose verification goes on in the next alarm, by key. Without it, one begins again with the first path. */
  readonly unfinished: Map<string, Unfinished>;
  /** Whether a push is going on: reading NARs then leaves it room. */
  readonly isBusy: () => boolean;
  /** Call it in the turn that queues a NAR: an alarm reads it soon. */
  readonly wakeForVerification: () => void;
  /** How many paths wait to be copied from upstreams, once that has been counted. */
  readonly mirrorQueue: { length?: number };
  /** How many pins there are, where that has been counted since the last change of any. */
  readonly pinCount: { known?: number };
  /** Call it in the turn that queues a path of an upstream: an alarm copies it soon. */
  readonly wakeForMirror: () => void;
  /** Saves the figures some seconds later. */
  readonly saveFiguresLater: () => void;
  /** Call it in the turn that releases a NAR: an alarm sweeps `soon`, or when the grace period that begins now has ended. */
  readonly wakeForSweep: (when?: "soon") => void;
}
