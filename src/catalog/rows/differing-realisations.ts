// The table `differing_realisations`: other outputs of a derivation, which were pushed and not taken: the first stays.
import type { DifferingRealisation } from "../../contract/paths.ts";
import { type Realisation, realisationId } from "../../nix/realisation.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import { insert } from "./insert.ts";

/** Other outputs that are recorded of one output of a derivation. */
const MAX_RECORDED = 10;

/** `hash` is the hash part of the path that stays the output. */
export function recordDifferingRealisation(
  c: CatalogContext,
  hash: string,
  realisation: Realisation,
  pushedBy: string,
): void {
  const id = realisationId(realisation);
  const { outPath } = realisation;
  const others = c.sql
    .exec<{ total: number }>(
      "SELECT count(*) AS total FROM differing_realisations WHERE hash = ? AND id = ? AND out_path <> ?",
      hash,
      id,
      outPath,
    )
    .one().total;
  if (others >= MAX_RECORDED) return;
  insert(
    c,
    "differing_realisations",
    { hash, id, out_path: outPath, first_push: c.now(), last_push: c.now(), pushed_by: pushedBy },
    "ON CONFLICT (hash, id, out_path) DO UPDATE SET last_push = excluded.last_push, pushed_by = excluded.pushed_by",
  );
}

/** In the order of their first push. At most `limit`. */
export function differingRealisations(
  c: CatalogContext,
  hash: string,
  limit: number,
): DifferingRealisation[] {
  return c.sql
    .exec<{ id: string; out_path: string; first_push: number; last_push: number; pushed_by: string }>(
      // Limited before they are ordered, so that no more of them are read.
      `SELECT id, out_path, first_push, last_push, pushed_by FROM (
         SELECT id, out_path, first_push, last_push, pushed_by FROM differing_realisations WHERE hash = ? LIMIT ?
       ) ORDER BY first_push, id, out_path`,
      hash,
      limit,
    )
    .toArray()
    .map((row) => ({
      ...row,
      first_push: isoTime(row.first_push),
      last_push: isoTime(row.last_push),
    }));
}

export function forgetDifferingRealisations(c: CatalogContext, hash: string): void {
  c.sql.exec("DELETE FROM differing_realisations WHERE hash = ?", hash);
}
