// The columns `facts`, `facts_etag` and `content` of the table `nars`: what is known of the content of a NAR.
import { contentState, type Facts, type KnownFacts } from "../content.ts";
import type { CatalogContext } from "../context.ts";
import { changeNar, NAR_FIGURE, type NarRow } from "./figures.ts";
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

/** What a reading has found, which ends with it. */
export function saveFacts(c: CatalogContext, key: string, known: KnownFacts): void {
  const { facts, facts_etag, content } = factColumns(known);
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET facts = ?, facts_etag = ?, content = ?, attempts = 0 WHERE key = ? RETURNING ${NAR_FIGURE}`,
      ...[facts, facts_etag, content, key],
    ),
  );
}

/** The object has been replaced: what is known is of the one before. */
export function forgetFacts(c: CatalogContext, key: string): void {
  changeNar(c, key, () =>
    c.sql.exec<NarRow>(
      `UPDATE nars SET facts = NULL, facts_etag = NULL, content = NULL WHERE key = ? RETURNING ${NAR_FIGURE}`,
      key,
    ),
  );
}
