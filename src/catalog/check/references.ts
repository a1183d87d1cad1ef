// The third phase of a check: missing paths that others refer to. Nothing is repaired: only a push can bring them, and
// their referrers work for every client that finds them in another cache.
import type { CatalogContext } from "../context.ts";
import { note } from "../rows/findings.ts";
import { pathRow } from "../rows/paths.ts";
import { referrersOf } from "../rows/references.ts";
import { nameFromUnindexed, unindexedReferrers } from "../rows/unindexed.ts";
import { IS_UPSTREAM, upstreamList } from "../rows/upstream-paths.ts";
import { saveRun } from "../runs/run.ts";
import { comparePath } from "../scan/compare.ts";
import { doItems, type Item } from "../scan/items.ts";
import { LAST } from "../scan/pages.ts";
import { askForReferences, costOfQuestions, maxQuestions } from "../scan/upstream-references.ts";
import type { CheckRun } from "./state.ts";

/** Rows of references that one step looks up. */
const REFERENCES_BATCH = 20_000;
/** Such a step takes about as long as this many bucket operations, and does not yield. */
const BATCH_COST = 10;
/** Referrers that a finding names. */
const MAX_REFERRERS = 5;

export async function checkReferences(c: CatalogContext, run: CheckRun): Promise<number> {
  const end = endOfBatch(c, run.checkpoint);
  const all = missing(c, run.checkpoint, end);
  const asks = c.config.upstreams.length > 0 && all.length > 0;
  // In the order of their hashes, so that the next step goes on after the last.
  const some = asks ? all.sort().slice(0, maxQuestions(c)) : all;
  const absent = await askForReferences(c, some);
  const items = absent.map(
    (hash): Item => ({ key: hash, cost: 1, work: () => checkReference(c, run, hash) }),
  );
  const { cost } = await doItems(c, run, items, some.length < all.length ? (some.at(-1) ?? end) : end);
  saveRun(c, run);
  return cost + BATCH_COST + (asks ? costOfQuestions(some.length) : 0);
}

function endOfBatch(c: CatalogContext, after: string): string {
  const { count, end } = c.sql
    .exec<{ count: number; end: string | null }>(
      `SELECT count(*) AS count, max(reference) AS end
       FROM (SELECT reference FROM refs WHERE reference > ? ORDER BY reference LIMIT ?)`,
      after,
      REFERENCES_BATCH,
    )
    .one();
  return end === null || count < REFERENCES_BATCH ? LAST : end;
}

/** Hash parts that are referred to and that neither the catalog nor this check knows, nor an upstream has. */
function missing(c: CatalogContext, after: string, end: string): string[] {
  return c.sql
    .exec<{ reference: string }>(
      `SELECT reference FROM (
         SELECT reference FROM refs WHERE reference > ?1 AND reference <= ?2
         UNION SELECT substr(value, 1, 32) FROM unindexed, json_each(unindexed.refs)
         WHERE substr(value, 1, 32) > ?1 AND substr(value, 1, 32) <= ?2)
       WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = reference)
       AND NOT EXISTS (SELECT 1 FROM unindexed WHERE hash = reference)
       AND NOT ${IS_UPSTREAM("reference", "?3")}`,
      after,
      end,
      upstreamList(c),
    )
    .toArray()
    .map((row) => row.reference);
}

function checkReference(c: CatalogContext, run: CheckRun, hash: string): Promise<void> {
  return comparePath(c, hash, (state) => {
    if (state.kind !== "absent") return;
    const referrers = referrersOf(c, hash, MAX_REFERRERS + 1);
    const names = [
      ...referrers.map((referrer) => `${referrer}-${pathRow(c, referrer)?.name ?? ""}`),
      ...unindexedReferrers(c, hash),
    ];
    // All its referrers have been deleted meanwhile.
    if (names.length === 0) return;
    const named = names.slice(0, MAX_REFERRERS).join(", ");
    const more = names.length > MAX_REFERRERS ? " and more" : "";
    const where = c.config.upstreams.length > 0 ? "is neither here nor in an upstream" : "is not here";
    const name = nameOf(c, hash, referrers[0]);
    c.transaction(() =>
      note(c, run.kind, "missing-reference", name, `${where}; ${named}${more} refer to it`),
    );
  });
}

/** The base name, which only the narinfos of referrers contain. */
function nameOf(c: CatalogContext, hash: string, referrer: string | undefined): string {
  const narinfo = referrer === undefined ? undefined : pathRow(c, referrer)?.narinfo;
  const references = /^References: (.*)$/m.exec(narinfo ?? "")?.[1]?.split(" ") ?? [];
  return references.find((name) => name.startsWith(`${hash}-`)) ?? nameFromUnindexed(c, hash) ?? hash;
}
