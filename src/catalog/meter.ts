// What a piece of work spends: operations of the bucket by the classes in which they are billed, and rows.
import type { Spent } from "../contract/runs.ts";
import type { CatalogContext } from "./context.ts";
export const NOTHING_SPENT: Spent = { classA: 0, classB: 0, deletes: 0, rowsRead: 0, rowsWritten: 0 };

const CLASSES: Readonly<Record<string, keyof Spent>> = {
  put: "classA",
  list: "classA",
  head: "classB",
  get: "classB",
  delete: "deletes",
};

/** The same context, and what has been spent through it so far. */
export function metered(c: CatalogContext): {
  readonly context: CatalogContext;
  readonly spent: () => Spent;
} {
  const spent: Spent = { ...NOTHING_SPENT };
  // A cursor counts on while it is read, so that it is asked at the end.
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
  return {
    context: { ...c, sql: { exec } as unknown as SqlStorage, bucket },
    spent: () => {
      for (const { rowsRead, rowsWritten } of cursors.splice(0)) {
        spent.rowsRead += rowsRead;
        spent.rowsWritten += rowsWritten;
      }
      return spent;
    },
  };
}

export function addSpent(total: Spent, more: Spent): Spent {
  return {
    classA: total.classA + more.classA,
    classB: total.classB + more.classB,
    deletes: total.deletes + more.deletes,
    rowsRead: total.rowsRead + more.rowsRead,
    rowsWritten: total.rowsWritten + more.rowsWritten,
  };
}
