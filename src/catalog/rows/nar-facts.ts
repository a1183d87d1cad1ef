// The columns `facts`, `facts_etag` and `content` of the table `nars`: what is known of the content of a NAR.
import { contentState, type Facts, type KnownFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { keptFacts } from "./kept-facts.ts";

/** The columns for what is known; all null where nothing is. */
export function factColumns(known: KnownFacts | undefined) {
  return {
    facts: known === undefined ? null : JSON.stringify(keptFacts(known.facts)),
    facts_etag: known?.etag ?? null,
    content: known === undefined ? null : contentState(known.facts),
  };
}

/** What is known of a NAR's content; `undefined` where nothing is. */
export function factsOf(c: CatalogContext, key: string): KnownFacts | undefined {
  const row = c.sql
    .exec<{ facts: string; etag: string }>(
      "SELECT facts, facts_etag AS etag FROM nars WHERE key = ? AND facts IS NOT NULL",
      key,
    )
    .toArray()[0];
  return row && { facts: JSON.parse(row.facts) as Facts, etag: row.etag };
}

export function saveFacts(c: CatalogContext, key: string, known: KnownFacts): void {
  const { facts, facts_etag, content } = factColumns(known);
  c.sql.exec(
    "UPDATE nars SET facts = ?, facts_etag = ?, content = ? WHERE key = ?",
    ...[facts, facts_etag, content, key],
  );
}

/** The object has been replaced: what is known is of the one before. */
export function forgetFacts(c: CatalogContext, key: string): void {
  c.sql.exec("UPDATE nars SET facts = NULL, facts_etag = NULL, content = NULL WHERE key = ?", key);
}

/** How many stored NARs there are of each state of their content. */
export function countContents(
  c: CatalogContext,
): Record<"verified" | "waiting" | "unverifiable" | "unknown", number> {
  return c.sql
    .exec<Record<"verified" | "waiting" | "unverifiable" | "unknown", number>>(
      `SELECT count(*) FILTER (WHERE content = 'verified') AS verified,
         count(*) FILTER (WHERE content IS NULL AND queued IS NOT NULL) AS waiting,
         count(*) FILTER (WHERE content = 'unverifiable') AS unverifiable,
         count(*) FILTER (WHERE content IS NULL AND queued IS NULL) AS unknown
       FROM nars WHERE is_stored = 1`,
    )
    .one();
}
