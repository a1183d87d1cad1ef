// The state of a large deletion between its steps.
import type { Spent } from "../../contract/runs.ts";
import { type Run, runRecord } from "../runs/run.ts";

export interface DeletionState {
  /** The hash part of the path that goes with all that refers to it. */
  readonly hash: string;
  /** Its base name. */
  readonly path: string;
  /** Whether their NARs go at once, too. */
  withNars?: boolean;
  found: number;
  deleted: number;
  /** Set once the scratch of the deletion before is empty. */
  isClear: boolean;
  /** The path whose referrers are being read, and the last one that was. */
  reading: { readonly hash: string; readonly after: string } | null;
  /** Set while all paths seem to have referrers: the paths up to here have been looked at again. */
  again: string | null;
  /** Why it ended early. */
  stopped?: string;
  spent: Spent;
}

export type DeletionRun = Run<"deletion", DeletionState>;

export const DELETION_RECORD = runRecord<"deletion", DeletionState>("deletion", 1);
