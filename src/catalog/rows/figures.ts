// The table `figures`: one row, the running totals behind the statistics as they were last saved.
import type { CatalogContext } from "../context.ts";
import { type Figures, type NarFigure, noFigures, type PathFigure } from "../figures.ts";
import type { Change, Kept } from "../tally.ts";

const PATH_COLUMNS = "hash, compression, nar_size, file_size, first_push";
const NAR_COLUMNS = "key, size, content, queued IS NOT NULL AS is_queued";

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
  const isExact = row === undefined ? isEmpty(c) : row.is_exact === 1;
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

/** Does what changes the row of a path, or makes or deletes it. */
export function countingPath<T>(c: CatalogContext, hash: string, change: () => T): T {
  if (!isCounting(c)) return change();
  const before = pathFigure(c, hash);
  const result = change();
  noteChange(c, { kind: "path", before, after: pathFigure(c, hash) });
  return result;
}

/** Does what changes the rows of these NARs, or makes or deletes them. */
export function countingNars<T>(c: CatalogContext, keys: readonly string[], change: () => T): T {
  if (!isCounting(c)) return change();
  const before = narFigures(c, keys);
  const result = change();
  const after = narFigures(c, keys);
  for (const key of keys) noteChange(c, { kind: "nar", before: before.get(key), after: after.get(key) });
  return result;
}

/** Otherwise a recount is still to begin, and counts what is there then. */
function isCounting(c: CatalogContext): boolean {
  const { isExact, recount } = keptFigures(c);
  return isExact || recount !== undefined;
}

function noteChange(c: CatalogContext, change: Change): void {
  if (JSON.stringify(change.before) === JSON.stringify(change.after)) return;
  if (keptFigures(c).isExact) markFigures(c);
  c.tally.note(change);
}

function pathFigure(c: CatalogContext, hash: string): PathFigure | undefined {
  return c.sql.exec<PathFigure>(`SELECT ${PATH_COLUMNS} FROM paths WHERE hash = ?`, hash).toArray()[0];
}

/** Of those that are stored, by key. */
function narFigures(c: CatalogContext, keys: readonly string[]): Map<string, NarFigure> {
  const [key = "", ...others] = keys;
  const rows =
    others.length === 0
      ? c.sql.exec<NarFigure>(`SELECT ${NAR_COLUMNS} FROM nars WHERE key = ? AND is_stored = 1`, key)
      : c.sql.exec<NarFigure>(
          `SELECT ${NAR_COLUMNS} FROM nars WHERE key IN (SELECT value FROM json_each(?)) AND is_stored = 1`,
          JSON.stringify(keys),
        );
  return new Map(rows.toArray().map((row) => [row.key, row]));
}

/** The figures of the paths after a hash, by hash. At most `limit`. */
export function nextPathFigures(c: CatalogContext, after: string, limit: number): PathFigure[] {
  return c.sql
    .exec<PathFigure>(`SELECT ${PATH_COLUMNS} FROM paths WHERE hash > ? ORDER BY hash LIMIT ?`, after, limit)
    .toArray();
}

/** The figures of the NARs after a key, by key, those that are not stored as well. At most `limit`. */
export function nextNarFigures(
  c: CatalogContext,
  after: string,
  limit: number,
): (NarFigure & { readonly is_stored: number })[] {
  return c.sql
    .exec<NarFigure & { readonly is_stored: number }>(
      `SELECT ${NAR_COLUMNS}, is_stored FROM nars WHERE key > ? ORDER BY key LIMIT ?`,
      after,
      limit,
    )
    .toArray();
}
