// Publications as memory has them.
import type { KnownFacts } from "./content.ts";

export interface PublishedNar {
  readonly key: string;
  /** The narinfo names another place, so that it may not be in the bucket. */
  readonly isElsewhere?: boolean;
  /** Bytes; 0 where the narinfo does not say. */
  readonly size: number;
  /** Lower-case hex; `null` where it is not known for certain. */
  readonly sha256: string | null;
  /** Milliseconds since the epoch. */
  readonly uploaded: number;
  /** What has just been found out of its content. */
  readonly known?: KnownFacts;
  /** Whether its content is still to be read, and since when it waits (milliseconds since the epoch; now if absent). */
  readonly isQueued?: boolean;
  readonly queuedAt?: number;
}

export interface Publication {
  /** Grows with every publication; the primary key. */
  readonly sequence: number;
  /** The hash part of the path. */
  readonly hash: string;
  /** Keys of NARs that must not be deleted meanwhile. */
  nars: readonly string[];
  /** Hash parts of paths that must not be deleted before it has ended. */
  references: readonly string[];
  /** Milliseconds since the epoch; 0 where the bucket has responded with a failure. */
  begun: number;
  /** In flight in this process; left by a crash, or without an answer of the bucket; or at its end. */
  state: "open" | "left" | "ended";
  /** Of one in flight. Never rejects. */
  done?: Promise<unknown>;
  /** What the row of its NAR is to say. */
  nar?: PublishedNar | undefined;
}

/** Those of this process, and what the table had when it began. */
export interface Publications {
  all?: Map<number, Publication>;
  isLoaded?: boolean;
}
