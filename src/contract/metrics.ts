// What the catalog tells a monitor. Times are milliseconds since the epoch, sizes bytes.
import type { Compression } from "../nix/narinfo.ts";
import type { FindingKind } from "./findings.ts";
import type { RunKind } from "./runs.ts";
import type { Amount } from "./stats.ts";
import type { VerificationStats } from "./verification.ts";

/** `failing`: its last step failed and is tried again. `stopped`: it has ended before its end. */
export const RUN_STATES = ["running", "failing", "stopped", "done"] as const;
export type RunState = (typeof RUN_STATES)[number];

export interface RunMetrics {
  readonly kind: RunKind;
  readonly state: RunState;
  readonly started: number;
  /** When one of this kind last reached its end; absent where none has. */
  readonly completed?: number;
  /** Of a collection: what it has deleted. */
  readonly removed?: { readonly paths: number; readonly bytes: number };
}

export interface FindingCount {
  /** A kind of run, or `verify`: the verification of what is pushed. */
  readonly run: RunKind | "verify";
  readonly kind: FindingKind;
  /** All of them. */
  readonly count: number;
  readonly repaired: number;
}

export interface CatalogMetrics {
  /** When the figures were exact. */
  readonly asOf: number;
  /** Whether they are exact now. */
  readonly isExact: boolean;
  readonly byCompression: { readonly [compression in Compression]?: Amount };
  /** Published ones. */
  readonly nars: number;
  /** Of these, in the bucket. */
  readonly storedSize: number;
  readonly contents: Readonly<Record<Exclude<keyof VerificationStats, "false_narinfos">, number>>;
  /** When the NAR was queued that has waited longest for its verification; absent where none waits. */
  readonly oldestQueued?: number;
  /** Up to 10,000. */
  readonly pins: number;
  /** In parts, under way; up to 1,000. */
  readonly uploads: number;
  /** The last of each kind, where there was one. */
  readonly runs: readonly RunMetrics[];
  readonly findings: readonly FindingCount[];
  readonly catalogSize: number;
}
