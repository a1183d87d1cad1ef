// Rows that are still in tables of an earlier layout, `old_paths`, `old_refs` and `old_nars`, while a migration moves them.
//
// An old row stays where it is when its copy has been taken over: from then on the copy counts, and the old row is ignored
// until its table is dropped. So a row is copied once and never deleted, which would be billed like writing it.
import type { CatalogContext } from "../context.ts";

/** The old tables, in the order in which they are dropped. */
export const OLD_TABLES = ["old_refs", "old_nars", "old_paths"] as const;

/** Columns that the first version of the tables did not have, and what takes their place in the rows of such a table. */
const LATER_COLUMNS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  old_paths: { wanted: "last_push" },
  old_nars: { facts: "NULL", facts_etag: "NULL", content: "NULL", queued: "NULL", attempts: "0" },
};

/** Whether there are tables of an earlier layout. */
export function hasOldTables({ sql }: Pick<CatalogContext, "sql">): boolean {
  return oldTables({ sql }).length > 0;
}

export function oldTables({ sql }: Pick<CatalogContext, "sql">): string[] {
  const found = new Set(
    sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray()
      .map(({ name }) => name),
  );
  return OLD_TABLES.filter((name) => found.has(name));
}

/**
 * Takes over these paths, with their references and NARs, unless that has been done. Call it before an operation that
 * names a path looks at its row.
 */
export function adoptPaths(c: CatalogContext, hashes: readonly string[]): void {
  if (!c.migration.isMoving || hashes.length === 0) return;
  const old = c.sql
    .exec<{ hash: string }>(
      `SELECT value AS hash FROM json_each(?) WHERE EXISTS (SELECT 1 FROM old_paths WHERE hash = value)
       AND NOT EXISTS (SELECT 1 FROM paths WHERE hash = value)`,
      JSON.stringify(hashes),
    )
    .toArray();
  if (old.length === 0) return;
  const listed = JSON.stringify(old.map(({ hash }) => hash));
  c.transaction(() => {
    moveNars(c, "key IN (SELECT nar FROM old_paths WHERE hash IN (SELECT value FROM json_each(?)))", listed);
    // Where its NAR has lost its last path among those that have moved, it has one again.
    c.sql.exec(
      `UPDATE nars SET released = NULL WHERE released IS NOT NULL
       AND key IN (SELECT nar FROM old_paths WHERE hash IN (SELECT value FROM json_each(?)))`,
      listed,
    );
    c.sql.exec(
      `INSERT INTO refs (referrer, reference) SELECT referrer, reference FROM old_refs
       WHERE referrer IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING`,
      listed,
    );
    c.sql.exec(
      `INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca, signers,
         narinfo, etag, incomplete, first_push, last_push, pushed_by, wanted)
       SELECT hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca, signers,
         narinfo, etag, incomplete, first_push, last_push, pushed_by, ${column(c, "old_paths", "wanted")}
       FROM old_paths WHERE hash IN (SELECT value FROM json_each(?)) ON CONFLICT DO NOTHING`,
      listed,
    );
  });
}

/** The same for NARs. */
export function adoptNars(c: CatalogContext, keys: readonly string[]): void {
  if (!c.migration.isMoving || keys.length === 0) return;
  moveNars(c, "key IN (SELECT value FROM json_each(?))", JSON.stringify(keys));
}

/** Takes over the next old NARs after `after`, at most `limit`. Returns the last one; `undefined` if there are none. */
export function moveNextNars(c: CatalogContext, after: string, limit: number): string | undefined {
  const { last } = c.sql
    .exec<{ last: string | null }>(
      "SELECT max(key) AS last FROM (SELECT key FROM old_nars WHERE key > ? ORDER BY key LIMIT ?)",
      after,
      limit,
    )
    .one();
  if (last === null) return undefined;
  moveNars(c, "key > ? AND key <= ?", after, last);
  return last;
}

/**
 * Takes over the next old paths after the hash part `after`: at most `limit`, and no more once they have `maxReferences`.
 * Returns the last one and their number; `undefined` if there are none.
 */
export function moveNextPaths(
  c: CatalogContext,
  after: string,
  limit: number,
  maxReferences: number,
): { readonly last: string; readonly count: number } | undefined {
  const hashes: string[] = [];
  let references = 0;
  const rows = c.sql.exec<{ hash: string; count: number }>(
    `SELECT hash, (SELECT count(*) FROM old_refs WHERE referrer = hash) AS count
     FROM old_paths WHERE hash > ? ORDER BY hash LIMIT ?`,
    after,
    limit,
  );
  for (const { hash, count } of rows) {
    hashes.push(hash);
    references += count;
    if (references >= maxReferences) break;
  }
  const last = hashes.at(-1);
  if (last === undefined) return undefined;
  adoptPaths(c, hashes);
  return { last, count: hashes.length };
}

/** `where` is SQL on `old_nars`. */
function moveNars(c: CatalogContext, where: string, ...bindings: string[]): void {
  const later = ["facts", "facts_etag", "content", "queued", "attempts"].map((name) =>
    column(c, "old_nars", name),
  );
  c.sql.exec(
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released, facts, facts_etag, content, queued, attempts)
     SELECT key, size, sha256, is_stored, uploaded, seen, released, ${later.join(", ")}
     FROM old_nars WHERE ${where} ON CONFLICT DO NOTHING`,
    ...bindings,
  );
}

/** SQL for a column of an old table. */
function column({ sql }: CatalogContext, table: string, name: string): string {
  const isThere =
    sql.exec("SELECT 1 FROM pragma_table_info(?) WHERE name = ?", table, name).toArray().length > 0;
  return isThere ? name : (LATER_COLUMNS[table]?.[name] ?? name);
}

/** Those of these paths that are not among the old ones either. */
export function withoutOldPaths(c: CatalogContext, hashes: readonly string[]): string[] {
  if (!c.migration.isMoving) return [...hashes];
  return c.sql
    .exec<{ value: string }>(
      "SELECT value FROM json_each(?) WHERE NOT EXISTS (SELECT 1 FROM old_paths WHERE hash = value)",
      JSON.stringify(hashes),
    )
    .toArray()
    .map(({ value }) => value);
}

/** Those of these values that a path which may not have moved yet has in this column. */
export function amongOldPaths(
  c: CatalogContext,
  name: "nar" | "deriver",
  values: readonly string[],
): string[] {
  if (!c.migration.isMoving || values.length === 0) return [];
  return c.sql
    .exec<{ value: string }>(
      `SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM old_paths WHERE ${name} = value)`,
      JSON.stringify(values),
    )
    .toArray()
    .map(({ value }) => value);
}

/**
 * Sets the last use of paths that may not have moved yet, like `saveLastUse`. A layout without that column has no indexes
 * for it either, and no collection has begun to rely on it.
 */
export function saveOldLastUse(
  c: CatalogContext,
  name: "hash" | "deriver" | "nar",
  values: readonly string[],
  before: number,
): void {
  if (!c.migration.isMoving || column(c, "old_paths", "wanted") !== "wanted") return;
  c.sql.exec(
    `UPDATE old_paths SET wanted = ? WHERE ${name} IN (SELECT value FROM json_each(?)) AND wanted < ?`,
    c.now(),
    JSON.stringify(values),
    before,
  );
}

/** The path is removed, whether it has moved or not. */
export function removeOldPath(c: CatalogContext, hash: string): void {
  if (c.migration.isMoving) c.sql.exec("DELETE FROM old_paths WHERE hash = ?", hash);
}

/** The row of the NAR is deleted, whether it has moved or not. */
export function removeOldNar(c: CatalogContext, key: string): void {
  if (c.migration.isMoving) c.sql.exec("DELETE FROM old_nars WHERE key = ?", key);
}

/** Drops an old table, and its indexes, in steps: `limit` rows at most, or the rest. True when it is gone. */
export function dropOldTable(c: CatalogContext, table: string, limit: number, isSmall: boolean): boolean {
  if (isSmall) {
    c.sql.exec(`DROP TABLE ${table}`);
    return true;
  }
  const [index] = c.sql
    .exec<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL LIMIT 1",
      table,
    )
    .toArray();
  if (index !== undefined) {
    c.sql.exec(`DROP INDEX ${index.name}`);
    return false;
  }
  const key = { old_paths: "rowid", old_refs: "referrer, reference" }[table] ?? "key";
  const deleted = c.sql
    .exec(
      `DELETE FROM ${table} WHERE (${key}) IN (SELECT ${key} FROM ${table} ORDER BY ${key} LIMIT ?) RETURNING 1`,
      limit,
    )
    .toArray().length;
  if (deleted === limit) return false;
  c.sql.exec(`DROP TABLE ${table}`);
  return true;
}
