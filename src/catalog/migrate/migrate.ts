// The migration of the large tables to a new layout: a run that takes over their rows, while the object serves and
// publishes. See schema.ts.
import type { MigrateReport } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { dropOldTable, hasOldTables, moveNextNars, moveNextPaths, oldTables } from "../rows/old-layout.ts";
import { defineRun } from "../runs/definition.ts";
import { requestRun } from "../runs/engine.ts";
import { progress } from "../runs/report.ts";
import { moveTo, type Run, runRecord, saveRun } from "../runs/run.ts";

/** Rows of one step. With these a step takes some 50 ms, for which a push beside it waits. */
const NARS = 1000;
const PATHS = 250;
const REFERENCES = 1250;
const DROPPED = 2000;
/** Paths of a cache whose old tables are dropped at once: it takes 50 ms, and no rows are written. */
const SMALL = 20_000;
/** A step takes about as long as this many bucket operations: two are done in one alarm. */
const STEP_COST = 25;
/** Steps before the first request: with these a small cache needs no more. */
const FIRST_STEPS = 10;

interface MigrateState {
  /** Taken over so far. */
  paths: number;
}

type MigrateRun = Run<"migrate", MigrateState>;

const MIGRATE_RECORD = runRecord<"migrate", MigrateState>("migrate", 1);

export const MIGRATE = defineRun({
  record: MIGRATE_RECORD,
  steps: { nars: moveNars, paths: movePaths, drop },
  request: (c, _options: Record<never, never>) => MIGRATE_RECORD.load(c) ?? start(c),
  report: migrateReport,
  // All others need all rows. Once these have moved, only the old tables are left to be dropped.
  isExclusive: ({ phase }) => phase !== "drop",
});

/**
 * Call it when the object starts. Begins the migration that the schema has made necessary, or finds one under way, and
 * does its first steps. True where there are more.
 */
export function resumeMigration(c: CatalogContext, firstSteps = FIRST_STEPS): boolean {
  if (!hasOldTables(c)) return false;
  const current = MIGRATE_RECORD.load(c);
  const run = current === undefined || current.finished !== undefined ? start(c) : current;
  c.migration.isMoving = run.phase !== "drop";
  try {
    for (let step = 0; step < firstSteps && run.finished === undefined; step++) {
      run.steps++;
      STEPS[run.phase](c, run);
    }
  } catch (error) {
    // An alarm tries again, and notes the failure.
    console.error("the first steps of the migration failed", error);
  }
  return run.finished === undefined;
}

/** Continues a migration as far as one invocation gets. Throws {@link Refused} being-migrated if it has not ended. */
export async function requireMigrated(c: CatalogContext): Promise<void> {
  if (!c.migration.isMoving) return;
  await requestRun(c, MIGRATE, {});
  refuseWhileMoving(c);
}

/** Throws {@link Refused} being-migrated: only a part of the rows is there yet. */
export function refuseWhileMoving(c: CatalogContext): void {
  if (!c.migration.isMoving) return;
  const paths = MIGRATE_RECORD.load(c)?.state.paths ?? 0;
  throw new Refused({ kind: "being-migrated", paths });
}

function start(c: CatalogContext): MigrateRun {
  return MIGRATE_RECORD.start(c, { paths: 0 });
}

const STEPS = {
  nars(c: CatalogContext, run: MigrateRun): void {
    c.transaction(() => {
      moveTo(c, run, moveNextNars(c, run.checkpoint, NARS));
      saveRun(c, run);
    });
  },
  paths(c: CatalogContext, run: MigrateRun): void {
    c.transaction(() => {
      const moved = moveNextPaths(c, run.checkpoint, PATHS, REFERENCES);
      run.state.paths += moved?.count ?? 0;
      moveTo(c, run, moved?.last);
      saveRun(c, run);
    });
    c.migration.isMoving = run.phase !== "drop";
  },
  drop(c: CatalogContext, run: MigrateRun): void {
    c.transaction(() => {
      const [table] = oldTables(c);
      if (table !== undefined) dropOldTable(c, table, DROPPED, run.state.paths <= SMALL);
      moveTo(c, run, hasOldTables(c) ? "old" : undefined);
      saveRun(c, run);
    });
  },
};

async function moveNars(c: CatalogContext, run: MigrateRun): Promise<number> {
  STEPS.nars(c, run);
  return STEP_COST;
}

async function movePaths(c: CatalogContext, run: MigrateRun): Promise<number> {
  STEPS.paths(c, run);
  return STEP_COST;
}

async function drop(c: CatalogContext, run: MigrateRun): Promise<number> {
  STEPS.drop(c, run);
  return STEP_COST;
}

function migrateReport(_: CatalogContext, run: MigrateRun): MigrateReport {
  return { ...progress(run), paths: run.state.paths };
}
