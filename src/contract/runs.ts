// Runs: stepwise work on the whole cache, their options and reports.
import type { FindingKind, Findings } from "./findings.ts";

export interface Spent {
  class_a: number;
  class_b: number;
  /** Calls that delete, up to 1,000 objects each; free. */
  deletes: number;
  rows_read: number;
  rows_written: number;
}

/** What a run of each kind does, in this order. */
export const PHASES = {
  reindex: ["narinfos", "nars", "references", "companions", "pins"],
  check: ["narinfos", "nars", "references", "pins"],
  gc: ["mark", "sweep", "uploads"],
  resign: ["narinfos"],
} as const;

export type RunKind = keyof typeof PHASES;

export type PhaseOf<K extends RunKind> = (typeof PHASES)[K][number];

export type Phase = PhaseOf<RunKind>;

/** What every run tells of itself. */
export interface Progress {
  readonly kind: RunKind;
  readonly done: boolean;
  /** ISO 8601 in UTC. */
  readonly started: string;
  /** ISO 8601 in UTC; absent while it goes on. */
  readonly finished?: string;
  /** What it walks now, or walked last. */
  readonly phase: Phase;
  readonly steps: number;
  /** Why the last step stopped short. It is tried again, by itself or with the next POST. */
  readonly problem?: string;
}

/** What a run over the bucket tells of itself. */
export interface RunReport extends Progress {
  /** Narinfos that it has met in the bucket so far. */
  readonly narinfos: number;
  /** Objects under nar/ that it has met in the bucket so far. */
  readonly nars: number;
}

export interface ReindexOptions {
  /** Begin again from the start although one is under way. */
  readonly restart?: boolean;
}

export interface ReindexReport extends RunReport {
  /** Paths taken into the catalog, or brought up to date. */
  readonly indexed: number;
  /** Rows removed, of paths and of NARs, whose object is not there. */
  readonly removed: number;
  readonly unreadable: Findings;
  readonly unreadable_pins: Findings;
}

export interface CheckOptions {
  /** Repair what is safe. One under way that does otherwise is begun again. */
  readonly repair?: boolean;
  /** Begin again from the start although one is under way. */
  readonly restart?: boolean;
}

export interface CheckReport extends RunReport {
  readonly repair: boolean;
  /** Nothing found so far. */
  readonly clean: boolean;
  readonly findings: Readonly<Record<FindingKind, Findings>>;
}

export interface Amount {
  paths: number;
  bytes: number;
}

export interface GcOptions {
  /** Only say what would go. */
  readonly dry_run?: boolean;
  /** Go on although more than half of the cache would go. */
  readonly force?: boolean;
}

export interface ResignOptions {
  /** The name of a key whose signatures go; one under way that does otherwise is begun again. */
  readonly drop?: string;
  /** Begin again from the start although one is under way. */
  readonly restart?: boolean;
}

/** As it goes to the client. */
export interface ResignReport extends Progress {
  readonly drop: string | null;
  /** Names of the keys with which it signs. */
  readonly keys: readonly string[];
  readonly paths: number;
  readonly resigned: number;
  /** Paths passed by, and why. */
  readonly unreadable: Findings;
}

/** Sizes are bytes; as it goes to the client. */
export interface GcReport extends Progress {
  readonly dry_run: boolean;
  readonly force: boolean;
  /** `null`: not configured. */
  readonly retention_days: number | null;
  readonly max_size_gb: number | null;
  readonly stopped?: string;
  readonly paths: number;
  readonly bytes: number;
  readonly pins: number;
  readonly roots: number;
  readonly alive: Amount;
  /** What no root keeps alive; how many of these paths because of their age, and how many for the size. */
  readonly dead: Amount & { expired: number; too_large: number };
  /** The oldest of the dead, for a person. */
  readonly oldest: readonly { readonly store_path: string; readonly last_used: string }[];
  readonly removed: Amount;
  readonly spared: number;
  readonly unpublished_nars: number;
  readonly spent: Spent;
}
