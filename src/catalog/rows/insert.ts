// One INSERT whose columns are named by the row itself.
import type { CatalogContext } from "../context.ts";

/**
 * Inserts a row. `then` is the rest of the statement: what happens on a conflict, what it returns. The names of table
 * and columns come from the code, never from a client.
 */
export function insert<T extends Record<string, SqlStorageValue>>(
  { sql }: Pick<CatalogContext, "sql">,
  table: string,
  row: Readonly<Record<string, SqlStorageValue>>,
  then = "",
): SqlStorageCursor<T> {
  const columns = Object.keys(row);
  const marks = columns.map(() => "?");
  return sql.exec<T>(
    `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${marks.join(", ")}) ${then}`,
    ...Object.values(row),
  );
}
