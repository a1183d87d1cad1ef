/** A catalog of an earlier version, made of the present one: its tables, with the rows as that version had them. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { createReleased } from "./released-schemas.ts";
import { catalog } from "./runs.ts";

type Row = Record<string, SqlStorageValue>;

export function tablesOf(sql: SqlStorage): string[] {
  return sql
    .exec<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
    )
    .toArray()
    .map(({ name }) => name);
}

/** Tables, columns and indexes as SQLite sees them, however they came to be. */
export function schemaOf(sql: SqlStorage) {
  return tablesOf(sql).map((name) => ({
    name,
    columns: sql.exec(`SELECT * FROM pragma_table_info('${name}')`).toArray(),
    indexes: sql
      .exec<{ name: string }>(`SELECT * FROM pragma_index_list('${name}') ORDER BY name`)
      .toArray()
      .map((index) => [index, sql.exec(`SELECT * FROM pragma_index_info('${index.name}')`).toArray()]),
  }));
}

/**
 * Turns the catalog into one of this version, with so many further paths, each referring to the one before. Returns the
 * rows of `paths` as that version has them.
 */
export function makeTablesOlder(storage: DurableObjectStorage, version: number, further: number): Row[] {
  return storage.transactionSync(() => {
    const { sql } = storage;
    const names = tablesOf(sql).filter((name) => name !== "schema_version");
    const rows = new Map(names.map((name) => [name, sql.exec<Row>(`SELECT * FROM ${name}`).toArray()]));
    for (const name of [...names, "schema_version"]) sql.exec(`DROP TABLE ${name}`);
    createReleased(sql, version);
    for (const name of tablesOf(sql)) {
      if (name === "schema_version") continue;
      for (const row of rows.get(name) ?? []) insertKnown(sql, name, row);
    }
    addPaths(sql, further);
    return sql.exec<Row>("SELECT * FROM paths ORDER BY hash").toArray();
  });
}

/** The same, and no object runs then. */
export async function makeOlder(version: number, further: number): Promise<Row[]> {
  const paths = await runInDurableObject(catalog(), (_, { storage }) =>
    makeTablesOlder(storage, version, further),
  );
  await evictDurableObject(catalog());
  return paths;
}

function insertKnown(sql: SqlStorage, table: string, row: Row): void {
  const known = sql
    .exec<{ name: string }>("SELECT name FROM pragma_table_info(?)", table)
    .toArray()
    .map(({ name }) => name)
    .filter((name) => name in row);
  sql.exec(
    `INSERT INTO ${table} (${known.join(", ")}) VALUES (${known.map(() => "?").join(", ")})`,
    ...known.map((name) => row[name] ?? null),
  );
}

function addPaths(sql: SqlStorage, count: number): void {
  const numbers = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)";
  const columns = sql.exec("SELECT 1 FROM pragma_table_info('paths') WHERE name = 'wanted'").toArray();
  const [wanted, value] = columns.length === 0 ? ["", ""] : [", wanted", ", 3000 + i"];
  sql.exec(
    `${numbers} INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca,
       signers, narinfo, etag, incomplete, first_push, last_push, pushed_by${wanted})
     SELECT printf('%032d', i), 'further-' || i, 'nar/' || printf('%052d', i) || '.nar', 'sha256:1', 10, 'sha256:2', 5,
       'none', NULL, NULL, '', 'StorePath: x', 'e', 0, 1000 + i, 2000 + i, 'PUSH_TOKEN'${value} FROM n`,
    count,
  );
  sql.exec(
    `${numbers} INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
     SELECT 'nar/' || printf('%052d', i) || '.nar', 5, NULL, 1, i, i, NULL FROM n`,
    count,
  );
  sql.exec(
    `${numbers} INSERT INTO refs (referrer, reference) SELECT printf('%032d', i), printf('%032d', i - 1) FROM n
     WHERE i > 1`,
    count,
  );
}
