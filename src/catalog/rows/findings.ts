// The table `findings`: problems that a run has found, each confirmed against the bucket.
import type { FindingKind, Findings } from "../../contract/findings.ts";
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
  repaired = false,
): void {
  c.sql.exec(
    "INSERT OR REPLACE INTO findings (run, kind, name, detail, repaired) VALUES (?, ?, ?, ?, ?)",
    run,
    kind,
    name,
    detail,
    repaired ? 1 : 0,
  );
}

/** Findings at which counting them ends. */
const MAX_COUNTED = 10_000;

/** The findings of one kind of a run, the first `named` of them by name. Counts {@link MAX_COUNTED} at most. */
export function findingsOf(
  c: CatalogContext,
  run: FindingSource,
  kind: FindingKind,
  named: number,
): Findings {
  const { count, repaired } = c.sql
    .exec<{ count: number; repaired: number }>(
      `SELECT count(*) AS count, total(repaired) AS repaired
       FROM (SELECT repaired FROM findings WHERE run = ? AND kind = ? LIMIT ?)`,
      run,
      kind,
      MAX_COUNTED,
    )
    .one();
  const first = c.sql
    .exec<{ name: string; detail: string; repaired: number }>(
      "SELECT name, detail, repaired FROM findings WHERE run = ? AND kind = ? ORDER BY name LIMIT ?",
      run,
      kind,
      named,
    )
    .toArray()
    .map((row) => ({ ...row, repaired: row.repaired === 1 }));
  return { count, repaired, first };
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
