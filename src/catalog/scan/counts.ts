// What a run that walks the bucket counts and reports.
import type { RunReport } from "../../contract/runs.ts";
import { progress } from "../runs/report.ts";
import type { Run } from "../runs/run.ts";

/** Objects met in the bucket so far. */
export interface WalkCounts {
  narinfos: number;
  nars: number;
}

export function walkReport(run: Run, { narinfos, nars }: WalkCounts): RunReport {
  return { ...progress(run), narinfos, nars };
}
