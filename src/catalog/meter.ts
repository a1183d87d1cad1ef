// Counts the cost of work: bucket operations by billing class, and rows.
import type { Spent } from "../contract/runs.ts";
import type { CatalogContext } from "./context.ts";
export const NOTHING_SPENT: Spent = { class_a: 0, class_b: 0, deletes: 0, rows_read: 0, rows_written: 0 };

const CLASSES: Readonly<Record<string, keyof Spent>> = {
  put: "class_a",
  list: "class_a",
  head: "class_b",
  get: "class_b",
  delete: "deletes",
};

/** The same context, and the cost of all work done through it so far. */
export function metered(c: CatalogContext): {
  readonly context: CatalogContext;
  readonly spent: () => Spent;
} {
  const spent: Spent = { ...NOTHING_SPENT };
  // A cursor's counts grow while it is read, so read them at the end.
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  const exec = (query: string, ...bindings: SqlStorageValue[]) => {
    const cursor = c.sql.exec(query, ...bindings);
    cursors.push(cursor);
    return cursor;
  };
  const bucket = new Proxy(c.bucket, {
    get(target, property) {
      const method: unknown = Reflect.get(target, property, target);
      if (typeof method !== "function") return method;
      return (...parameters: unknown[]) => {
        const kind = CLASSES[String(property)];
        if (kind !== undefined) spent[kind]++;
        return Reflect.apply(method, target, parameters);
      };
    },
  });
  const sql = {
    exec,
    get databaseSize() {
      return c.sql.databaseSize;
    },
  };
  return {
    context: { ...c, sql: sql as unknown as SqlStorage, bucket },
    spent: () => {
      for (const { rowsRead, rowsWritten } of cursors.splice(0)) {
        spent.rows_read += rowsRead;
        spent.rows_written += rowsWritten;
      }
      return spent;
    },
  };
}

export function addSpent(total: Spent, more: Spent): Spent {
  return {
    class_a: total.class_a + more.class_a,
    class_b: total.class_b + more.class_b,
    deletes: total.deletes + more.deletes,
    rows_read: total.rows_read + more.rows_read,
    rows_written: total.rows_written + more.rows_written,
  };
}
