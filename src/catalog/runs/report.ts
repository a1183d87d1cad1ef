// The common part of the reports on all kinds of runs.
import type { Progress } from "../../contract/runs.ts";
import { isoTime } from "../times.ts";
import type { Run } from "./run.ts";

export function progress(run: Run): Progress {
  return {
    kind: run.kind,
    done: run.finished !== undefined,
    started: isoTime(run.started),
    ...(run.finished !== undefined && { finished: isoTime(run.finished) }),
    phase: run.phase,
    steps: run.steps,
    ...(run.problem !== undefined && { problem: run.problem }),
  };
}
