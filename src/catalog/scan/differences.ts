// Pages of narinfos and of NARs, and their differences from the catalog's rows.
import { NARINFO } from "../../bucket/kinds.ts";
import type { CatalogContext } from "../context.ts";
import { listPage, type Page } from "./pages.ts";

const NARINFO_ENDING = ".narinfo";
const HASH_LENGTH = 32;

/** The narinfos after a key. Other objects of the top level are left out, folders are not entered. */
export async function listNarInfos(c: CatalogContext, after: string): Promise<Page> {
  const { objects, end } = await listPage(c, { delimiter: "/" }, after);
  return { objects: objects.filter((object) => NARINFO.pattern.test(object.key)), end };
}

export function listNars(c: CatalogContext, after: string): Promise<Page> {
  return listPage(c, { prefix: "nar/" }, after);
}

/** Hash parts of the paths whose etag on the page is not the row's, that have no row, or that are not on the page. */
export function differingPaths(c: CatalogContext, page: Page, after: string): string[] {
  const listed = JSON.stringify(
    page.objects.map((object) => ({ hash: object.key.slice(0, HASH_LENGTH), etag: object.etag })),
  );
  const unindexed = c.sql.exec<{ hash: string }>(
    `SELECT value ->> 'hash' AS hash FROM json_each(?)
     WHERE NOT EXISTS (SELECT 1 FROM paths WHERE hash = value ->> 'hash' AND etag = value ->> 'etag')`,
    listed,
  );
  const vanished = c.sql.exec<{ hash: string }>(
    // The index serves the first comparison; the second is exact, because a page may begin after `<hash>.ls`.
    `SELECT hash FROM paths WHERE hash >= ? AND hash <= ? AND hash || '${NARINFO_ENDING}' > ? AND hash || '${NARINFO_ENDING}' <= ?
     AND hash NOT IN (SELECT value ->> 'hash' FROM json_each(?))`,
    after.slice(0, HASH_LENGTH),
    page.end,
    after,
    page.end,
    listed,
  );
  return [...unindexed, ...vanished].map((row) => row.hash);
}

export interface DifferingNars {
  /** Objects that have a row. */
  readonly known: readonly R2Object[];
  /** Objects without a row. */
  readonly unknown: readonly R2Object[];
  /** Keys of rows without an object. */
  readonly vanished: readonly string[];
}

export function differingNars(c: CatalogContext, page: Page, after: string): DifferingNars {
  const listed = JSON.stringify(page.objects.map((object) => object.key));
  const rows = new Set(
    c.sql
      .exec<{ key: string }>("SELECT key FROM nars WHERE key IN (SELECT value FROM json_each(?))", listed)
      .toArray()
      .map((row) => row.key),
  );
  const vanished = c.sql
    .exec<{ key: string }>(
      "SELECT key FROM nars WHERE key > ? AND key <= ? AND key NOT IN (SELECT value FROM json_each(?))",
      after,
      page.end,
      listed,
    )
    .toArray()
    .map((row) => row.key);
  return {
    known: page.objects.filter((object) => rows.has(object.key)),
    unknown: page.objects.filter((object) => !rows.has(object.key)),
    vanished,
  };
}
