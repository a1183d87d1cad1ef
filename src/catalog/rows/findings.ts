// The table `findings`: problems that a run has found, each confirmed against the bucket.
import type { FindingKind, Findings } from "../../contract/findings.ts";
import type { FindingCount } from "../../contract/metrics.ts";
import type { RunKind } from "../../contract/runs.ts";
import type { CatalogContext } from "../context.ts";

/** A run, or the verification of what is pushed, which never ends. */
export type FindingSource = RunKind | "verify";

/** Records a finding, once in a run; call it in the transaction that repairs it. */
export function note(
  c: CatalogContext,
  run: FindingSource,
  kind: FindingKind,
  name: string,
  detail: string,
  isRepaired = false,
): void {
  const repaired = isRepaired ? 1 : 0;
  const before = c.sql
    .exec<{ repaired: number }>(
      "SELECT repaired FROM findings WHERE run = ? AND kind = ? AND name = ?",
      ...[run, kind, name],
    )
    .toArray()[0];
  c.sql.exec(
    "INSERT OR REPLACE INTO findings (run, kind, name, detail, repaired) VALUES (?, ?, ?, ?, ?)",
    ...[run, kind, name, detail, repaired],
  );
  if (before?.repaired === repaired) return;
  c.sql.exec(
    `INSERT INTO finding_counts (run, kind, count, repaired) VALUES (?, ?, ?, ?)
     ON CONFLICT (run, kind) DO UPDATE SET count = count + excluded.count, repaired = repaired + excluded.repaired`,
    ...[run, kind, before === undefined ? 1 : 0, repaired - (before?.repaired ?? 0)],
  );
}

/** Findings of an earlier run that one step deletes. */
const MAX_FORGOTTEN = 5_000;

/** Takes the findings of a run out of its reports. Returns whether rows are left for {@link forgetFindings}. */
export function hideFindings(c: CatalogContext, run: RunKind): boolean {
  c.sql.exec("DELETE FROM finding_counts WHERE run = ?", run);
  return c.sql.exec("SELECT 1 FROM findings WHERE run = ? LIMIT 1", run).toArray().length > 0;
}

/** Deletes some findings of a run. Returns whether there may be more. */
export function forgetFindings(c: CatalogContext, run: RunKind): boolean {
  const deleted = c.sql
    .exec(
      `DELETE FROM findings WHERE run = ?1
       AND (kind, name) IN (SELECT kind, name FROM findings WHERE run = ?1 LIMIT ?2) RETURNING 1`,
      run,
      MAX_FORGOTTEN,
    )
    .toArray();
  return deleted.length === MAX_FORGOTTEN;
}

/** The findings of one kind of a run, the first `named` of them by name. */
export function findingsOf(
  c: CatalogContext,
  run: FindingSource,
  kind: FindingKind,
  named: number,
): Findings {
  const counted = c.sql
    .exec<{ count: number; repaired: number }>(
      "SELECT count, repaired FROM finding_counts WHERE run = ? AND kind = ?",
      run,
      kind,
    )
    .toArray()[0];
  if (counted === undefined) return { count: 0, repaired: 0, first: [] };
  const first = c.sql
    .exec<{ name: string; detail: string; repaired: number }>(
      "SELECT name, detail, repaired FROM findings WHERE run = ? AND kind = ? ORDER BY name LIMIT ?",
      run,
      kind,
      named,
    )
    .toArray()
    .map((row) => ({ ...row, repaired: row.repaired === 1 }));
  return { ...counted, first };
}

/** How many findings there are, by run and kind. */
export function findingCounts(c: CatalogContext): FindingCount[] {
  return c.sql
    .exec<{ run: FindingSource; kind: FindingKind; count: number; repaired: number }>(
      "SELECT run, kind, count, repaired FROM finding_counts ORDER BY run, kind",
    )
    .toArray();
}

/** How many findings of a run are not repaired. */
export function countUnrepaired(c: CatalogContext, run: RunKind): number {
  return c.sql
    .exec<{ count: number }>("SELECT total(count - repaired) AS count FROM finding_counts WHERE run = ?", run)
    .one().count;
}

/** A finding about the path with this hash part. Names begin with it, and are the end of the primary key. */
export function findingOfPath(
  c: CatalogContext,
  run: FindingSource,
  kind: FindingKind,
  hash: string,
): { readonly name: string; readonly detail: string } | undefined {
  return c.sql
    .exec<{ name: string; detail: string }>(
      // "." is the character after "-".
      "SELECT name, detail FROM findings WHERE run = ? AND kind = ? AND name > ? AND name < ? LIMIT 1",
      run,
      kind,
      `${hash}-`,
      `${hash}.`,
    )
    .toArray()[0];
}
