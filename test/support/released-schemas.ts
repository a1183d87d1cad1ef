/** The tables of the catalog as versions 1 to 6 of its schema made them. Version 5 is that of release 0.1.0. */
import dump from "../fixtures/catalogs/0.1.0.sql?raw";
import { schemaIn } from "./dump.ts";

const DUMPED = 5;

/** What each version up to that one added to the one before, undone. */
const UNDONE: ReadonlyMap<number, string> = new Map([
  [
    5,
    `DROP INDEX paths_by_want;
DROP INDEX paths_by_deriver;
ALTER TABLE paths DROP COLUMN wanted;
ALTER TABLE pending DROP COLUMN objects;
DROP TABLE companions;
DROP TABLE pins;
DROP TABLE pin_revisions;
DROP TABLE marks;`,
  ],
  [4, "DROP TABLE tokens;"],
  [3, "DROP TABLE uploads; DROP TABLE upload_parts;"],
  [2, "DROP TABLE findings; DROP TABLE unindexed;"],
]);

const VERSION_6 = `
ALTER TABLE nars ADD COLUMN facts TEXT;
ALTER TABLE nars ADD COLUMN facts_etag TEXT;
ALTER TABLE nars ADD COLUMN content TEXT;
ALTER TABLE nars ADD COLUMN queued INTEGER;
ALTER TABLE nars ADD COLUMN attempts INTEGER NOT NULL DEFAULT 0;
CREATE INDEX nars_by_queue ON nars (queued) WHERE queued IS NOT NULL;

CREATE TABLE differing_realisations (
  hash TEXT NOT NULL,
  id TEXT NOT NULL,
  out_path TEXT NOT NULL,
  first_push INTEGER NOT NULL,
  last_push INTEGER NOT NULL,
  pushed_by TEXT NOT NULL,
  PRIMARY KEY (hash, id, out_path)
) STRICT, WITHOUT ROWID;
`;

/** Those versions. */
export const OLD_VERSIONS: readonly number[] = [1, 2, 3, 4, 5, 6];

/** Makes the tables of a version in an empty database: none of version 0. */
export function createReleased(sql: SqlStorage, version: number): void {
  if (version === 0) return;
  sql.exec("CREATE TABLE schema_version (version INTEGER NOT NULL)");
  sql.exec(schemaIn(dump));
  for (const [added, statements] of UNDONE) if (added > version) sql.exec(statements);
  if (version > DUMPED) sql.exec(VERSION_6);
  sql.exec("INSERT INTO schema_version (version) VALUES (?)", version);
}
