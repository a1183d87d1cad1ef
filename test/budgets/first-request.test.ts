/** The first request after an update costs no more than its budget, however many rows are of the older version. */
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { metered } from "../../src/catalog/meter.ts";
import { resumeMigration } from "../../src/catalog/migrate/migrate.ts";
import { migrate } from "../../src/catalog/schema.ts";
import { createReleased, OLD_VERSIONS } from "../support/released-schemas.ts";
import { excess } from "./budgets.ts";

afterEach(() => reset());

it.each(OLD_VERSIONS.flatMap((version) => [100, 20_000].map((paths) => [version, paths] as const)))(
  "from version %d with %d paths",
  async (version, paths) => {
    const cost = await runInDurableObject(
      env.CATALOG.getByName("migrated"),
      (catalog: Catalog, { storage }) => {
        const { sql } = storage;
        const tables = sql
          .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
          .toArray();
        for (const { name } of tables) if (!name.startsWith("_cf")) sql.exec(`DROP TABLE ${name}`);
        createReleased(sql, version);
        fill(sql, paths);
        const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
        const exec = (query: string, ...bindings: SqlStorageValue[]) => {
          // One by one: a cursor has the counts of the last statement only.
          for (const statement of query.split(/;\s*\n/)) {
            if (statement.trim() !== "") cursors.push(sql.exec(statement, ...bindings));
          }
          return cursors.at(-1);
        };
        const counted = { sql: { exec }, transactionSync: <T>(run: () => T) => storage.transactionSync(run) };
        migrate(counted as unknown as DurableObjectStorage);
        const { context, spent } = metered(catalog.context);
        resumeMigration(context);
        const resumed = spent();
        const sum = (of: "rowsRead" | "rowsWritten") =>
          cursors.reduce((total, cursor) => total + cursor[of], 0);
        return {
          rowsRead: sum("rowsRead") + resumed.rows_read,
          rowsWritten: sum("rowsWritten") + resumed.rows_written,
          ...{ classA: 0, classB: 0, calls: 1 },
        };
      },
    );
    expect(excess("firstRequest", cost)).toEqual([]);
  },
);

/** Rows as version 1 had them, in the tables that grow with the cache. */
function fill(sql: SqlStorage, paths: number): void {
  const numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)";
  sql.exec(
    `INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca, signers,
       narinfo, etag, incomplete, first_push, last_push, pushed_by)
     ${numbers} SELECT 'h' || i, 'name', 'nar/' || i, 'n', 1, 'f', 1, 'xz', 'd', NULL, '', 'StorePath: x', 'e', 0, i, i, 'p'
     FROM n`,
    paths,
  );
  sql.exec(
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
     ${numbers} SELECT 'nar/' || i, 1, NULL, 1, i, i, NULL FROM n`,
    paths,
  );
  sql.exec(
    `INSERT INTO refs (referrer, reference) ${numbers} SELECT 'h' || i, 'h' || (i - 1) FROM n WHERE i > 1`,
    paths,
  );
}
