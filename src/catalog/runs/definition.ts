// The interface of a kind of run. The engine drives every kind through it.
import type { PhaseOf, RunKind } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import type { Run, RunRecord } from "./run.ts";

/**
 * Does a part of a phase. The work and the run's new position are saved in one transaction, or the work is
 * idempotent. Resolves with the bucket operations that it may have taken, at most `MAX_OPERATIONS`, or with {@link
 * BLOCKED}.
 */
export type Step<K extends RunKind, S> = (c: CatalogContext, run: Run<K, S>) => Promise<number>;

/** The result of a step that did nothing, because another run has to end first. */
export const BLOCKED = Number.POSITIVE_INFINITY;

/** Dependencies on other kinds of runs. */
interface Rules {
  /** A request for this kind first continues runs of these kinds that are under way. */
  readonly continuesFirst?: readonly RunDefinition[];
  /** Alarms do no step of this kind while a run of one of these kinds is under way. */
  readonly waitsFor?: readonly RunDefinition[];
  /** Alarms do no step of any other kind while this holds for a run under way. */
  readonly isExclusive?: (run: Run) => boolean;
}

/** O are the options of a request, R is the report. */
interface Declaration<K extends RunKind, S, O, R> extends Rules {
  readonly record: RunRecord<K, S>;
  readonly steps: Readonly<Record<PhaseOf<K>, Step<K, S>>>;
  /** Starts a run, or returns the one under way with the new options. Does no step. */
  readonly request: (c: CatalogContext, options: O) => Run<K, S> | Promise<Run<K, S>>;
  readonly report: (c: CatalogContext, run: Run<K, S>) => R;
}

/** A kind of run without the type of its state, so that different kinds fit one table. */
export interface RunDefinition<O = never, R = unknown> extends Rules {
  readonly kind: RunKind;
  /** The last or present run; `undefined` if there was none. */
  readonly load: (c: CatalogContext) => Job<R> | undefined;
  /** See {@link Declaration}. */
  readonly request: (c: CatalogContext, options: O) => Promise<Job<R>>;
  /** The report on the last or present run; `undefined` if there was none. */
  readonly status: (c: CatalogContext) => R | undefined;
}

/** A run, bound to the functions of its kind. */
export interface Job<R = unknown> {
  readonly definition: RunDefinition<never, R>;
  readonly run: Run;
  /** Does the next step, and changes `run`. */
  readonly step: (c: CatalogContext) => Promise<number>;
  readonly report: (c: CatalogContext) => R;
}

export function defineRun<K extends RunKind, S, O, R>(
  declaration: Declaration<K, S, O, R>,
): RunDefinition<O, R> {
  const { record, steps, request, report, ...rules } = declaration;
  const jobOf = (run: Run<K, S>): Job<R> => ({
    definition,
    run,
    step: (c) => (run.clearing ? record.clear(c, run) : steps[run.phase](c, run)),
    report: (c) => report(c, run),
  });
  const load = (c: CatalogContext): Job<R> | undefined => {
    const run = record.load(c);
    return run && jobOf(run);
  };
  const definition: RunDefinition<O, R> = {
    ...rules,
    kind: record.kind,
    load,
    request: async (c, options) => jobOf(await request(c, options)),
    status: (c) => load(c)?.report(c),
  };
  return definition;
}
