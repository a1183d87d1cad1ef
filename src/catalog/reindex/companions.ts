// The fourth phase of a reindex: companions whose content names their owner.
import { COMPANION_FOLDERS, maxBytesOf, ownerOf } from "../../bucket/companions.ts";
import { readText } from "../../bucket/text.ts";
import type { CatalogContext } from "../context.ts";
import { hasCompanion, saveCompanion } from "../rows/companions.ts";
import { saveRun } from "../runs/run.ts";
import { doItems, type Item } from "../scan/items.ts";
import { listFolders } from "../scan/pages.ts";
import type { ReindexRun } from "./state.ts";

/** Reads the companions without a row: one bucket operation each, once. */
export async function reindexCompanions(c: CatalogContext, run: ReindexRun): Promise<number> {
  const page = await listFolders(c, COMPANION_FOLDERS, run.checkpoint);
  const listed = JSON.stringify(page.objects.map(({ key }) => key));
  const unknown = c.sql
    .exec<{ key: string }>(
      "SELECT value AS key FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM companions WHERE key = value)",
      listed,
    )
    .toArray();
  const items = unknown.map(({ key }): Item => ({ key, cost: 1, work: () => readCompanion(c, key) }));
  const { cost } = await doItems(c, run, items, page.end);
  saveRun(c, run);
  return cost;
}

async function readCompanion(c: CatalogContext, key: string): Promise<void> {
  const stored = await readText(c.bucket, key, maxBytesOf(key));
  // A push during the read has written a newer row.
  if (stored !== undefined && "text" in stored && !hasCompanion(c, key)) {
    saveCompanion(c, key, ownerOf(key, stored.text));
  }
}
