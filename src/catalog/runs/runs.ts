// Runs: work on the whole bucket, done in steps that fit one invocation. What a run has done and where it goes on is
// a row, so that it survives whatever ends a step.
import { PHASES, type Phase, type Progress, type RunKind, type RunReport } from "../../contract/runs.ts";
import type { Collection } from "../collect/collection.ts";
import type { CatalogContext } from "../context.ts";
import type { Resigning } from "../resign/path.ts";
import { isoTime } from "../times.ts";

/** Numbers that a run keeps while it goes on. */
export interface Counts {
  narinfos: number;
  nars: number;
  /** Paths taken into the catalog, or brought up to date. */
  indexed: number;
  /** Rows removed, of paths and of NARs, whose object is not there. */
  removed: number;
}

export interface Run {
  readonly kind: RunKind;
  /** Milliseconds since the epoch, like `finished`. */
  readonly started: number;
  readonly repair: boolean;
  readonly counts: Counts;
  /** Of a gc. */
  readonly collection?: Collection;
  /** Of a resign. */
  readonly resigning?: Resigning;
  /** Of a reindex: the hash part of a path that may be sound and cannot be read here, if there is any. */
  unreadableNarinfo?: string;
  finished: number | undefined;
  /** When a run of this kind was last at its end, this one or an earlier one. */
  completed: number | undefined;
  phase: Phase;
  /** Everything up to this is done in this phase: a key of the bucket, or what the phase orders by. */
  checkpoint: string;
  steps: number;
  /** Steps in a row that failed. */
  failures: number;
  problem: string | undefined;
  /** Of a run whose last step failed: when the next is due. Milliseconds since the epoch. */
  retryAt?: number | undefined;
}

type State = Omit<Run, "kind" | "started" | "finished">;

export function loadRun(c: CatalogContext, kind: RunKind): Run | undefined {
  const row = c.sql
    .exec<{ started: number; finished: number | null; state: string }>(
      "SELECT started, finished, state FROM runs WHERE kind = ?",
      kind,
    )
    .toArray()[0];
  if (row === undefined) return undefined;
  const state = JSON.parse(row.state) as State;
  return {
    ...state,
    kind,
    started: row.started,
    finished: row.finished ?? undefined,
    // JSON leaves out what is undefined.
    completed: state.completed,
    problem: state.problem,
  };
}

/** Writes what a run has done; call it in the transaction that does it. */
export function saveRun(c: CatalogContext, run: Run): void {
  const { kind, started, finished, ...state } = run;
  c.sql.exec(
    "INSERT OR REPLACE INTO runs (kind, started, finished, state) VALUES (?, ?, ?, ?)",
    kind,
    started,
    finished ?? null,
    JSON.stringify(state satisfies State),
  );
}

/** Begins a run from the start of the bucket; what the last one of its kind found is forgotten. */
export function startRun(
  c: CatalogContext,
  kind: RunKind,
  repair: boolean,
  own: Pick<Run, "collection" | "resigning"> = {},
): Run {
  const run: Run = {
    kind,
    ...own,
    started: c.now(),
    repair,
    counts: { narinfos: 0, nars: 0, indexed: 0, removed: 0 },
    finished: undefined,
    completed: loadRun(c, kind)?.completed,
    phase: PHASES[kind][0],
    checkpoint: "",
    steps: 0,
    failures: 0,
    problem: undefined,
  };
  c.transaction(() => {
    c.sql.exec("DELETE FROM findings WHERE run = ?", kind);
    if (kind === "check") c.sql.exec("DELETE FROM unindexed");
    if (kind === "gc") c.sql.exec("DELETE FROM marks");
    saveRun(c, run);
  });
  return run;
}

/** The step has done its work: the next begins after `position`; `undefined` where the phase has come to its end. */
export function moveTo(c: CatalogContext, run: Run, position: string | undefined): void {
  run.failures = 0;
  if (position !== undefined) {
    run.checkpoint = position;
    return;
  }
  run.checkpoint = "";
  const phases: readonly Phase[] = PHASES[run.kind];
  const next = phases[phases.indexOf(run.phase) + 1];
  if (next !== undefined) run.phase = next;
  else run.finished = run.completed = c.now();
}

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

export function runReport(run: Run): RunReport {
  return {
    ...progress(run),
    narinfos: run.counts.narinfos,
    nars: run.counts.nars,
  };
}

/** What a step returns that has spent nothing and waits for another run. */
export const BLOCKED = Number.POSITIVE_INFINITY;
