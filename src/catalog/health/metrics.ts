// What a monitor records of a catalog, from what is kept: it scans no table of paths or NARs.
import type { CatalogMetrics, RunMetrics, RunState } from "../../contract/metrics.ts";
import { currentFigures } from "../ask/stats.ts";
import { CHECK_RECORD } from "../check/state.ts";
import { GC_RECORD } from "../collect/collection.ts";
import type { CatalogContext } from "../context.ts";
import { REINDEX_RECORD } from "../reindex/state.ts";
import { RESIGN_RECORD } from "../resign/state.ts";
import { findingCounts } from "../rows/findings.ts";
import { oldestQueued } from "../rows/nar-queue.ts";
import { countPins } from "../rows/pins.ts";
import { countUploads } from "../rows/uploads.ts";
import { lastCompleted, type Run } from "../runs/run.ts";

export function metricsOf(c: CatalogContext): CatalogMetrics {
  const { figures, isExact, asOf } = currentFigures(c);
  const oldest = oldestQueued(c);
  return {
    asOf,
    isExact,
    byCompression: figures.by_compression,
    nars: figures.nars,
    storedSize: figures.stored_size,
    contents: figures.contents,
    ...(oldest !== undefined && { oldestQueued: oldest }),
    pins: countPins(c),
    uploads: countUploads(c),
    runs: runsOf(c),
    findings: findingCounts(c),
    catalogSize: c.sql.databaseSize,
  };
}

function runsOf(c: CatalogContext): RunMetrics[] {
  const gc = GC_RECORD.load(c);
  const stopped = gc?.state.stopped !== undefined;
  return [
    ...runOf(c, REINDEX_RECORD.load(c)),
    ...runOf(c, CHECK_RECORD.load(c)),
    ...runOf(c, gc, stopped).map((run) => ({ ...run, ...(gc && { removed: gc.state.removed }) })),
    ...runOf(c, RESIGN_RECORD.load(c)),
  ];
}

function runOf(c: CatalogContext, run: Run | undefined, isStopped = false): RunMetrics[] {
  if (run === undefined) return [];
  const completed = lastCompleted(c, run.kind);
  return [
    {
      kind: run.kind,
      state: stateOf(run, isStopped),
      started: run.started,
      ...(completed !== undefined && { completed }),
    },
  ];
}

function stateOf({ finished, problem }: Run, isStopped: boolean): RunState {
  if (finished === undefined) return problem === undefined ? "running" : "failing";
  return isStopped ? "stopped" : "done";
}
