// The table `figures`: one row, the running totals behind the statistics as they were last saved.
import type { CatalogContext } from "../context.ts";
import { type Figures, type NarFigure, noFigures, type PathFigure } from "../figures.ts";
import type { Change, Kept } from "../tally.ts";

export const PATH_FIGURE = "hash, compression, nar_size, file_size, first_push";
export const NAR_FIGURE = "key, size, content, queued IS NOT NULL AS is_queued, is_stored";

/** The columns {@link NAR_FIGURE}. */
export type NarRow = NarFigure & { readonly is_stored: number };

/** The figures, read from the table once. In a catalog without rows they are exact from the beginning. */
export function keptFigures(c: CatalogContext): Kept {
  c.tally.kept ??= load(c);
  return c.tally.kept;
}

function load(c: CatalogContext): Kept {
  const row = c.sql
    .exec<{ is_exact: number; counted: number; figures: string | null }>(
      "SELECT is_exact, counted, figures FROM figures",
    )
    .toArray()[0];
  const isExact = row === undefined ? isEmpty(c) : row.is_exact === 1 && isSettled(c);
  const saved = row?.figures ? (JSON.parse(row.figures) as Figures) : undefined;
  return {
    figures: saved ?? (isExact ? noFigures() : undefined),
    countedAt: row?.counted ?? c.now(),
    isExact,
    markedAt: undefined,
    recount: undefined,
  };
}

function isEmpty(c: CatalogContext): boolean {
  if (c.migration.isMoving) return false;
  return c.sql.exec("SELECT 1 FROM paths UNION ALL SELECT 1 FROM nars LIMIT 1").toArray().length === 0;
}

/** Whether no publication of an earlier process has changed anything that is not in the figures. */
function isSettled(c: CatalogContext): boolean {
  return c.sql.exec("SELECT 1 FROM publications LIMIT 1").toArray().length === 0;
}

/** Saves the figures as they are now, as exact ones. */
export function saveFigures(c: CatalogContext): void {
  const kept = keptFigures(c);
  kept.markedAt = undefined;
  write(c, kept, 1);
}

/** Records that the saved figures are not exact any more. Call it in the turn of the change. */
export function markFigures(c: CatalogContext): void {
  const kept = keptFigures(c);
  if (kept.markedAt !== undefined) return;
  kept.markedAt = c.now();
  write(c, kept, 0);
  c.saveFiguresLater();
}

function write(c: CatalogContext, kept: Kept, isExact: 0 | 1): void {
  kept.countedAt = c.now();
  c.tally.sql.exec(
    "INSERT OR REPLACE INTO figures (id, is_exact, counted, figures) VALUES (1, ?, ?, ?)",
    isExact,
    kept.countedAt,
    kept.figures === undefined ? null : JSON.stringify(kept.figures),
  );
}

/** Call it with the row of a path before and after a change, in the turn of the change. */
export function notePath(
  c: CatalogContext,
  before: PathFigure | undefined,
  after: PathFigure | undefined,
): void {
  note(c, { kind: "path", before, after });
}

/** Changes or makes the row of a NAR by a statement that returns {@link NAR_FIGURE}. */
export function changeNar(c: CatalogContext, key: string, change: () => SqlStorageCursor<NarRow>): void {
  const [before] = narFigures(c, [key]).values();
  const [row] = change().toArray();
  // No row fitted the condition of the statement.
  if (row !== undefined) note(c, { kind: "nar", before, after: storedNar(row) });
}

/** The same with the rows of many NARs, by a statement that returns nothing. */
export function changeNars(c: CatalogContext, keys: readonly string[], change: () => void): void {
  const before = narFigures(c, keys);
  change();
  const after = narFigures(c, keys);
  for (const key of keys) note(c, { kind: "nar", before: before.get(key), after: after.get(key) });
}

/** The row of a NAR that has just been deleted. */
export function noteDeletedNar(c: CatalogContext, row: NarRow | undefined): void {
  if (row !== undefined) note(c, { kind: "nar", before: storedNar(row), after: undefined });
}

function note(c: CatalogContext, change: Change): void {
  if (!isCounting(c) || JSON.stringify(change.before) === JSON.stringify(change.after)) return;
  if (keptFigures(c).isExact && !c.tally.isCovered) markFigures(c);
  c.tally.note(change);
}

/** Otherwise a recount is still to begin, and counts what is there then. */
function isCounting(c: CatalogContext): boolean {
  const { isExact, recount } = keptFigures(c);
  return isExact || recount !== undefined;
}

export function pathFigure(c: CatalogContext, hash: string): PathFigure | undefined {
  if (!isCounting(c)) return undefined;
  return c.sql.exec<PathFigure>(`SELECT ${PATH_FIGURE} FROM paths WHERE hash = ?`, hash).toArray()[0];
}

/** Of those that are stored, by key. */
function narFigures(c: CatalogContext, keys: readonly string[]): Map<string, NarFigure> {
  if (!isCounting(c)) return new Map();
  const [key = "", ...others] = keys;
  const rows =
    others.length === 0
      ? c.sql.exec<NarRow>(`SELECT ${NAR_FIGURE} FROM nars WHERE key = ?`, key)
      : c.sql.exec<NarRow>(
          `SELECT ${NAR_FIGURE} FROM nars WHERE key IN (SELECT value FROM json_each(?))`,
          JSON.stringify(keys),
        );
  const stored = new Map<string, NarFigure>();
  for (const row of rows) {
    const nar = storedNar(row);
    if (nar !== undefined) stored.set(row.key, nar);
  }
  return stored;
}

function storedNar({ is_stored, ...nar }: NarRow): NarFigure | undefined {
  return is_stored === 1 ? (nar as NarFigure) : undefined;
}

/** The figures of the paths after a hash, by hash. At most `limit`. */
export function nextPathFigures(c: CatalogContext, after: string, limit: number): PathFigure[] {
  return c.sql
    .exec<PathFigure>(`SELECT ${PATH_FIGURE} FROM paths WHERE hash > ? ORDER BY hash LIMIT ?`, after, limit)
    .toArray();
}

/** The figures of the NARs after a key, by key, those that are not stored as well. At most `limit`. */
export function nextNarFigures(c: CatalogContext, after: string, limit: number): NarRow[] {
  return c.sql
    .exec<NarRow>(`SELECT ${NAR_FIGURE} FROM nars WHERE key > ? ORDER BY key LIMIT ?`, after, limit)
    .toArray();
}
