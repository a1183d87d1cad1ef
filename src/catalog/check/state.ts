// What a check keeps between its steps.
import { forgetAll } from "../rows/unindexed.ts";
import { type Run, runRecord } from "../runs/run.ts";
import type { WalkCounts } from "../scan/counts.ts";

export interface CheckState {
  readonly repair: boolean;
  readonly counts: WalkCounts;
}

export type CheckRun = Run<"check", CheckState>;

export const CHECK_RECORD = runRecord<"check", CheckState>("check", 1, forgetAll);
