// A run: work on the whole cache in steps that fit one invocation. It is a row of the table `runs`, so that a crash
// loses at most the step under way.
import { PHASES, type PhaseOf, type RunKind } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { forgetFindings, hideFindings } from "../rows/findings.ts";

/** A run of kind K; S is its kind's own state between steps. Times are milliseconds since the epoch. */
export interface Run<K extends RunKind = RunKind, S = unknown> {
  readonly kind: K;
  /** {@link RunRecord.shape} when the run started. */
  readonly shape: number;
  readonly started: number;
  finished: number | undefined;
  /** When a run of this kind, this one or an earlier one, last reached its end. */
  completed: number | undefined;
  phase: PhaseOf<K>;
  /** While the rows that the last run has left are being deleted, before the first phase. */
  clearing: true | undefined;
  /** The checkpoint of the phase: a key of the bucket, or a value of the column that orders the phase. */
  checkpoint: string;
  steps: number;
  /** Failed steps in a row. */
  failures: number;
  /** Why the last step failed. */
  problem: string | undefined;
  /** When the failed step is retried. */
  retryAt: number | undefined;
  readonly state: S;
}

/** The row of the last or present run of one kind. */
export interface RunRecord<K extends RunKind, S> {
  readonly kind: K;
  /** Raise it whenever {@link Run} or S changes incompatibly. */
  readonly shape: number;
  /**
   * `undefined` if there was no run, or if an earlier version wrote the row in another shape. Ignoring such a run is
   * safe: starting the next one empties the tables of its kind, every step can be repeated, and lost state makes the
   * next run do or keep more, never delete more. {@link lastCompleted} is read from any shape.
   */
  readonly load: (c: CatalogContext) => Run<K, S> | undefined;
  /** Starts a run from the beginning, instead of one under way. Its first steps delete what the last run has left. */
  readonly start: (c: CatalogContext, state: S) => Run<K, S>;
  /** A step of {@link Run.clearing}. Resolves with its cost. */
  readonly clear: (c: CatalogContext, run: Run<K, S>) => Promise<number>;
}

/** A step takes no operation of the bucket, and rows like one that takes as many. */
const CLEARING_COST = 20;
/** Rows of a table that such a step deletes. */
const MAX_CLEARED = 5_000;

/** The JSON of the row; undefined properties are absent. */
type Stored<K extends RunKind, S> = Omit<Run<K, S>, "kind" | "started" | "finished">;

const PHASES_OF: { readonly [K in RunKind]: readonly [PhaseOf<K>, ...PhaseOf<K>[]] } = PHASES;

/** `clear` deletes rows of the kind's own tables, `limit` at most, and returns whether there may be more. */
export function runRecord<K extends RunKind, S>(
  kind: K,
  shape: number,
  clear: (c: CatalogContext, limit: number) => boolean = () => false,
): RunRecord<K, S> {
  const load = (c: CatalogContext): Run<K, S> | undefined => {
    const row = c.sql
      .exec<{ started: number; finished: number | null; state: string }>(
        "SELECT started, finished, state FROM runs WHERE kind = ?",
        kind,
      )
      .toArray()[0];
    if (row === undefined) return undefined;
    const stored = JSON.parse(row.state) as Stored<K, S>;
    if (stored.shape !== shape) return undefined;
    return { ...stored, kind, started: row.started, finished: row.finished ?? undefined };
  };
  const start = (c: CatalogContext, state: S): Run<K, S> => {
    const run: Run<K, S> = {
      kind,
      shape,
      started: c.now(),
      finished: undefined,
      completed: lastCompleted(c, kind),
      phase: PHASES_OF[kind][0],
      clearing: undefined,
      checkpoint: "",
      steps: 0,
      failures: 0,
      problem: undefined,
      retryAt: undefined,
      state,
    };
    c.transaction(() => {
      const isLeft = [hideFindings(c, kind), clear(c, MAX_CLEARED)];
      if (isLeft.includes(true)) run.clearing = true;
      saveRun(c, run);
    });
    return run;
  };
  const clearSome = async (c: CatalogContext, run: Run<K, S>) => {
    c.transaction(() => {
      if (![forgetFindings(c, kind), clear(c, MAX_CLEARED)].includes(true)) run.clearing = undefined;
      saveRun(c, run);
    });
    return CLEARING_COST;
  };
  return { kind, shape, load, start, clear: clearSome };
}

/** When a run of this kind last reached its end, in milliseconds since the epoch. */
export function lastCompleted(c: CatalogContext, kind: RunKind): number | undefined {
  const row = c.sql
    .exec<{ completed: number | null }>(
      "SELECT state ->> '$.completed' AS completed FROM runs WHERE kind = ?",
      kind,
    )
    .toArray()[0];
  return row?.completed ?? undefined;
}

/** Writes a run's progress; call it in the transaction that makes the progress. */
export function saveRun(c: CatalogContext, run: Run): void {
  const { kind, started, finished, ...stored } = run;
  c.sql.exec(
    "INSERT OR REPLACE INTO runs (kind, started, finished, state) VALUES (?, ?, ?, ?)",
    kind,
    started,
    finished ?? null,
    JSON.stringify(stored satisfies Stored<RunKind, unknown>),
  );
}

/** After a step: the next one begins after `position`, or with the next phase where it is `undefined`. Saves nothing. */
export function moveTo<K extends RunKind, S>(
  c: CatalogContext,
  run: Run<K, S>,
  position: string | undefined,
): void {
  run.failures = 0;
  run.checkpoint = position ?? "";
  if (position !== undefined) return;
  const phases = PHASES_OF[run.kind];
  const next = phases[phases.indexOf(run.phase) + 1];
  if (next === undefined) endRun(c, run);
  else run.phase = next;
}

/** Saves nothing. */
export function endRun(c: CatalogContext, run: Run): void {
  run.failures = 0;
  run.finished = run.completed = c.now();
}
