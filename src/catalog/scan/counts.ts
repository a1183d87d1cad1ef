// The counts in the report of a run that walks the bucket.
import type { RunReport } from "../../contract/runs.ts";
import { progress } from "../runs/report.ts";
import type { Run } from "../runs/run.ts";

/** Objects in the walked part of the bucket. */
export interface WalkCounts {
  narinfos: number;
  nars: number;
}

export function walkReport(run: Run, { narinfos, nars }: WalkCounts): RunReport {
  return { ...progress(run), narinfos, nars };
}
