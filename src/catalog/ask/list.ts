// The list of all paths, newest first. It reads only the catalog's tables and costs no bucket operation.
import type { ListQuery, PathPage } from "../../contract/paths.ts";
import type { CatalogContext } from "../context.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summary } from "./summary.ts";

/** One page. New paths sort before every cursor, so no page repeats or misses a path. */
export function listPaths(c: CatalogContext, query: ListQuery): PathPage {
  const rows = c.sql
    .exec<SummaryRow>(
      `SELECT ${SUMMARY_COLUMNS} FROM paths WHERE (first_push, hash) < (?, ?)
       ORDER BY first_push DESC, hash DESC LIMIT ?`,
      query.after?.firstPush ?? Number.MAX_SAFE_INTEGER,
      query.after?.hash ?? "",
      query.limit + 1,
    )
    .toArray();
  const shown = rows.slice(0, query.limit);
  const last = shown.at(-1);
  return {
    paths: shown.map((row) => summary(c, row)),
    ...(rows.length > query.limit && last && { next: { firstPush: last.first_push, hash: last.hash } }),
  };
}
