/** Migrations: a catalog of any earlier version becomes one of now. */
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { resumeMigration } from "../../src/catalog/migrate/migrate.ts";
import { MIGRATIONS, migrate } from "../../src/catalog/schema.ts";
import { createReleased, OLD_VERSIONS } from "../support/released-schemas.ts";

afterEach(() => reset());

/** Rows as a catalog of each version holds them; by the number of the migration that made their tables. */
const ROWS: readonly string[][] = [
  [
    `INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca, signers,
       narinfo, etag, incomplete, first_push, last_push, pushed_by)
     VALUES ('h', 'hello', 'nar/n', 'sha256:1', 10, 'sha256:2', 5, 'xz', NULL, NULL, 'key-1', 'StorePath: x', 'e', 0,
       1000, 2000, 'PUSH_TOKEN')`,
    "INSERT INTO refs (referrer, reference) VALUES ('h', 'g')",
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released)
     VALUES ('nar/n', 5, NULL, 1, 1000, 1500, NULL)`,
    `INSERT INTO differing_builds (hash, nar_hash, nar_size, first_push, last_push, pushed_by)
     VALUES ('h', 'sha256:3', 11, 3000, 3000, 'PUSH_TOKEN')`,
    "INSERT INTO pending (key, kind, nars, refs, begun) VALUES ('i', 'delete-path', '[]', '[]', 1)",
    "INSERT INTO runs (kind, started, finished, state) VALUES ('reindex', 1, 2, '{}')",
  ],
  [
    "INSERT INTO findings (run, kind, name, detail, repaired) VALUES ('check', 'missing-nar', 'n', 'd', 0)",
    `INSERT INTO unindexed (hash, name, nar, file_hash, file_size, refs)
     VALUES ('h', 'h-hello', 'nar/n', 'sha256:2', 5, '[]')`,
  ],
  [
    "INSERT INTO uploads (id, nar, r2_id, started, pushed_by) VALUES ('u', 'nar/n', 'r', 1000, 'PUSH_TOKEN')",
    "INSERT INTO upload_parts (upload, number, etag, size, uploaded) VALUES ('u', 1, 'e', 5, 1000)",
  ],
  [
    `INSERT INTO tokens (id, name, grants, minted_by, parent, created, expires, revoked)
     VALUES ('t', 'ci', '[]', 'ADMIN_TOKEN', NULL, 1000, 2000, NULL)`,
  ],
  [
    "INSERT INTO companions (key, owner) VALUES ('debuginfo/b', 'nar/n')",
    "INSERT INTO pins (name, keep_revisions, keep_days, etag, is_written) VALUES ('p', 2, NULL, 'e', 1)",
    `INSERT INTO pin_revisions (pin, number, hash, path_name, pinned, pinned_by, until)
     VALUES ('p', 1, 'h', 'hello', 1000, 'PUSH_TOKEN', NULL)`,
    "INSERT INTO marks (key, living, level, state) VALUES ('h', 0, 0, 'dead')",
  ],
  [
    `INSERT INTO differing_realisations (hash, id, out_path, first_push, last_push, pushed_by)
     VALUES ('h', 'sha256:0!out', 'g-hello', 3000, 3000, 'PUSH_TOKEN')`,
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released, facts, facts_etag, content, queued, attempts)
     VALUES ('nar/verified', 5, NULL, 1, 1000, 1500, NULL, '{}', 'e', 'verified', 1500, 1)`,
  ],
];

function inEmptyDatabase<T>(run: (storage: DurableObjectStorage, c: CatalogContext) => T): Promise<T> {
  return runInDurableObject(env.CATALOG.getByName("migrations"), async (catalog: Catalog, { storage }) => {
    const { sql } = storage;
    const names = tables(sql).map(({ name }) => name);
    for (const name of names) sql.exec(`DROP TABLE ${name}`);
    return run(storage, catalog.context);
  });
}

function tables(sql: SqlStorage): { name: string }[] {
  return sql
    .exec<{ name: string }>(
      "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\' ORDER BY name",
    )
    .toArray();
}

/** Every table and index as SQLite sees it, however it came to be. */
function schemaOf(sql: SqlStorage) {
  return tables(sql).map(({ name }) => ({
    name,
    columns: sql.exec(`SELECT * FROM pragma_table_info('${name}')`).toArray(),
    indexes: sql
      .exec<{ name: string }>(`SELECT * FROM pragma_index_list('${name}') ORDER BY name`)
      .toArray()
      .map((index) => [index, sql.exec(`SELECT * FROM pragma_index_info('${index.name}')`).toArray()]),
  }));
}

function contentsOf(sql: SqlStorage) {
  return Object.fromEntries(
    tables(sql)
      .filter(({ name }) => name !== "schema_version")
      .map(({ name }) => [
        name,
        sql
          .exec(`SELECT * FROM ${name}`)
          .toArray()
          .filter(({ kind }) => kind !== "migrate")
          // Follows from the pin's rule, from version 7 on.
          .map(({ until, ...row }) => row),
      ]),
  );
}

function fill(sql: SqlStorage, version: number): void {
  for (const statement of ROWS.slice(0, version).flat()) sql.exec(statement);
}

describe("migrate", () => {
  it.each([0, ...OLD_VERSIONS])("brings version %i to the newest one", async (version) => {
    const { migrated, contents, fresh } = await inEmptyDatabase((storage, c) => {
      const { sql } = storage;
      createReleased(sql, version);
      fill(sql, version);
      const before = contentsOf(sql);
      migrate(storage);
      expect(resumeMigration(c)).toBe(false);
      const migrated = schemaOf(sql);
      const contents = { before, after: contentsOf(sql) };
      for (const { name } of tables(sql)) sql.exec(`DROP TABLE ${name}`);
      migrate(storage);
      return { migrated, contents, fresh: schemaOf(sql) };
    });
    expect(migrated).toEqual(fresh);
    expect(contents.after).toMatchObject(contents.before);
    // From version 2 on there are findings.
    const counts = [{ run: "check", kind: "missing-nar", count: 1, repaired: 0 }];
    expect(contents.after).toMatchObject({ finding_counts: version < 2 ? [] : counts });
  });

  it("knows rows of every version", () => {
    expect(ROWS).toHaveLength(OLD_VERSIONS.length);
  });

  it("changes nothing where nothing is to be done", async () => {
    const [before, after] = await inEmptyDatabase((storage, c) => {
      createReleased(storage.sql, OLD_VERSIONS.length);
      fill(storage.sql, OLD_VERSIONS.length);
      migrate(storage);
      resumeMigration(c);
      const before = [schemaOf(storage.sql), contentsOf(storage.sql)];
      migrate(storage);
      return [before, [schemaOf(storage.sql), contentsOf(storage.sql)]];
    });
    expect(after).toEqual(before);
  });

  it("is all or nothing", async () => {
    const outcome = await inEmptyDatabase((storage) => {
      const broken = [...MIGRATIONS, "CREATE TABLE extra (x); INSERT INTO no_such_table VALUES (1)"];
      migrate(storage);
      expect(() => migrate(storage, broken)).toThrow("no_such_table");
      const names = tables(storage.sql).map(({ name }) => name);
      const { version } = storage.sql.exec<{ version: number }>("SELECT version FROM schema_version").one();
      return { names, version };
    });
    expect(outcome.names).not.toContain("extra");
    expect(outcome.version).toBe(MIGRATIONS.length);
  });

  it("refuses the catalog of a newer Worker, and says what to do", async () => {
    const message = await inEmptyDatabase((storage) => {
      migrate(storage, [...MIGRATIONS, "CREATE TABLE of_the_future (x)"]);
      try {
        migrate(storage);
      } catch (error) {
        return String(error);
      }
      return "";
    });
    expect(message).toBe(
      `Error: the catalog has schema ${MIGRATIONS.length + 1}, this Worker has ${MIGRATIONS.length}: deploy the newer version again`,
    );
  });
});
