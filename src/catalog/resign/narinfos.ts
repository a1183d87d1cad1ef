// The first phase of a resign: rows of paths whose narinfo lacks a signature.
import type { CatalogContext } from "../context.ts";
import { REWRITE_COST, resigned } from "../publish/rewrite.ts";
import { isIndexed } from "../reindex/indexed.ts";
import { ensureReindex } from "../reindex/state.ts";
import { BLOCKED } from "../runs/definition.ts";
import { saveRun } from "../runs/run.ts";
import { doItems, type Item } from "../scan/items.ts";
import { LAST } from "../scan/pages.ts";
import { resignPath } from "./path.ts";
import { followKeys, purgeResigned } from "./run.ts";
import type { ResignRun } from "./state.ts";

/** Paths per step. Signing one takes some 0.1 ms for each key. */
const BATCH = 500;
/** Reading their rows takes about as long as this many bucket operations. */
const BATCH_COST = 10;

export async function resignNarInfos(c: CatalogContext, run: ResignRun): Promise<number> {
  if (!isIndexed(c)) {
    // Unindexed paths would keep their signatures.
    ensureReindex(c);
    return BLOCKED;
  }
  const resigning = run.state;
  await followKeys(c, run);
  const rows = c.sql
    .exec<{ hash: string; narinfo: string }>(
      "SELECT hash, narinfo FROM paths WHERE hash > ? ORDER BY hash LIMIT ?",
      run.checkpoint,
      BATCH,
    )
    .toArray();
  const items: Item[] = [];
  for (const { hash, narinfo } of rows) {
    if ((await resigned(c, narinfo, resigning.drop)) === narinfo) continue;
    items.push({ key: hash, cost: REWRITE_COST, work: () => resignPath(c, run, hash) });
  }
  const end = rows.length < BATCH ? LAST : (rows.at(-1)?.hash ?? LAST);
  const { done, cost } = await doItems(c, run, items, end);
  await purgeResigned(c, run);
  resigning.paths += rows.filter(({ hash }) => hash <= done).length;
  saveRun(c, run);
  return cost + BATCH_COST;
}
