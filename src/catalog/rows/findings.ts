// Findings: what a run has found wrong, confirmed against the bucket at the moment when it was written down.
import type { CatalogContext } from "../context.ts";
import type { RunKind } from "../runs/runs.ts";

export const FINDING_KINDS = [
  /** An object that no client can read as the narinfo of its path. */
  "unreadable-narinfo",
  /** A narinfo in the bucket that the catalog does not know, or knows with another content. */
  "unindexed-narinfo",
  /** A path of the catalog without a narinfo in the bucket. */
  "vanished-narinfo",
  /** A path whose NAR is not in the bucket. */
  "missing-nar",
  /** A path whose NAR has another size or SHA-256 than the narinfo says. */
  "damaged-nar",
  /** An object under nar/ that the catalog does not know. */
  "unindexed-nar",
  /** A NAR of the catalog without an object in the bucket. */
  "vanished-nar",
  /** A NAR that nothing refers to, and that no pusher has cared for during the grace period. */
  "unreferenced-nar",
  /** A path that is not here while others here refer to it. */
  "missing-reference",
  /** An object under pins/ that is no pin of this cache: what it was to keep is not known. */
  "unreadable-pin",
] as const;
export type FindingKind = (typeof FINDING_KINDS)[number];

export interface Finding {
  /** A path's base name or hash part, or a NAR's key. */
  readonly name: string;
  /** What is wrong, for a person. */
  readonly detail: string;
  readonly repaired: boolean;
}

export interface Findings {
  readonly count: number;
  /** How many of them have been repaired. */
  readonly repaired: number;
  /** The first, in the order of their names. */
  readonly first: readonly Finding[];
}

/** Writes a finding down, once in a run; call it in the transaction that repairs it. */
export function note(
  c: CatalogContext,
  run: RunKind,
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

/** What a run has found of one kind, the first `named` of them by name. */
export function findingsOf(c: CatalogContext, run: RunKind, kind: FindingKind, named: number): Findings {
  const { count, repaired } = c.sql
    .exec<{ count: number; repaired: number }>(
      "SELECT count(*) AS count, total(repaired) AS repaired FROM findings WHERE run = ? AND kind = ?",
      run,
      kind,
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
