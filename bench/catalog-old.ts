// The rows of a catalog of version 5, as that version wrote them: for measuring the migration. A released layout does
// not change any more.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { schemaIn } from "../test/support/dump.ts";
import { type Graph, hashOf, nameOf } from "./catalog-graph.ts";
import { narInfoOf } from "./narinfo.ts";

export const OLD_VERSION = 5;
const DUMP = join(import.meta.dirname, "../test/fixtures/catalogs/0.1.0.sql");

/** Replaces all tables of the catalog, and fills them. */
export function fillOldCatalog(database: DatabaseSync, graph: Graph): void {
  const tables = database
    .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE '\\_cf%' ESCAPE '\\'")
    .all();
  database.exec("BEGIN");
  for (const { name } of tables) database.exec(`DROP TABLE "${name}"`);
  database.exec(schemaIn(readFileSync(DUMP, "utf8")));
  database.exec("CREATE TABLE schema_version (version INTEGER NOT NULL)");
  database.exec(`INSERT INTO schema_version (version) VALUES (${OLD_VERSION})`);
  const path = database.prepare(
    `INSERT INTO paths (hash, name, nar, nar_hash, nar_size, file_hash, file_size, compression, deriver, ca, signers,
       narinfo, etag, incomplete, first_push, last_push, pushed_by, wanted)
     VALUES (?, ?, ?, ?, ?, ?, ?, 'xz', ?, NULL, 'cache.example.org-1', ?, ?, 0, ?, ?, 'PUSH_TOKEN', ?)`,
  );
  const reference = database.prepare("INSERT INTO refs (referrer, reference) VALUES (?, ?)");
  const nar = database.prepare(
    `INSERT INTO nars (key, size, sha256, is_stored, uploaded, seen, released) VALUES (?, ?, NULL, 1, ?, ?, NULL)`,
  );
  const now = Date.now();
  for (let index = 0; index < graph.paths; index++) {
    const references = graph.references(index);
    const text = narInfoOf(index, references.map(nameOf));
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const hash = hashOf(index);
    const pushed = now - graph.age(index);
    path.run(
      ...[hash, nameOf(index).slice(33), field("URL")],
      ...[field("NarHash"), Number(field("NarSize")), field("FileHash"), Number(field("FileSize"))],
      ...[field("Deriver"), text, hash, pushed, pushed, pushed],
    );
    for (const referred of references) reference.run(hash, hashOf(referred));
    nar.run(field("URL"), Number(field("FileSize")), pushed, pushed);
  }
  const state = { shape: 1, completed: now, phase: "pins", checkpoint: "", steps: 1, failures: 0, state: {} };
  database
    .prepare("INSERT INTO runs (kind, started, finished, state) VALUES ('reindex', ?, ?, ?)")
    .run(now, now, JSON.stringify(state));
  database.exec("COMMIT");
}
