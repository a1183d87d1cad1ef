// What a check keeps between its steps.
import { forgetSome } from "../rows/unindexed.ts";
import { type Run, runRecord } from "../runs/run.ts";
import type { WalkCounts } from "../scan/counts.ts";

/** Separates the parts of a checkpoint: sorts before every character of a key, and is in no key. */
export const SEPARATOR = " ";

export interface CheckState {
  readonly repair: boolean;
  readonly deep: boolean;
  readonly counts: CheckCounts;
  /** The NAR that is being read, and how often its reading has begun. */
  reading?: { readonly key: string; readonly tries: number };
}

export interface CheckCounts extends WalkCounts {
  /** NARs that were read again. */
  read: number;
  /** Of them, NARs that cannot be verified. */
  unverifiable: number;
}

export type CheckRun = Run<"check", CheckState>;

export const CHECK_RECORD = runRecord<"check", CheckState>("check", 2, forgetSome);
