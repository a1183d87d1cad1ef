// The catalog's tables, as ordered migrations, run when the object starts. docs/internals/catalog.md describes the tables.
//
// A migration here is O(1), however many rows there are: the object answers its first request after it. The rows of the
// large tables `paths`, `refs` and `nars` move in steps, while the object serves and publishes. For a new layout of these
// tables (a column, an index, another key) the old tables are renamed to `old_paths`, `old_refs` and `old_nars`, which
// takes no time, and the new ones are created empty, with all their indexes. Then:
// - rows/old-layout.ts has the SQL that takes rows of the old layout into the new one. An operation that names a path or a
//   NAR takes its rows over first (`adoptPaths`, `adoptNars`), so it works on the new tables alone.
// - migrate/ is the run that takes over all others in the order of their keys, and then drops the old tables.
// - What needs all rows (listings, statistics, deletions, collections) waits for that: `requireMigrated`.
// Neither ADD COLUMN to a STRICT table (SQLite then checks every row: 2 s for a million paths) nor CREATE INDEX can be
// divided into steps. The large tables are not STRICT, so a later column without an index takes only ADD COLUMN.

import { NEWER_SCHEMA } from "../contract/result.ts";

/**
 * Each entry takes the schema from version N to N + 1, except for the large tables: {@link LAYOUT_VERSION}. Never change
 * a released entry: add one.
 */
export const MIGRATIONS: readonly string[] = [
  `
CREATE TABLE differing_builds (
  hash TEXT NOT NULL,
  nar_hash TEXT NOT NULL,
  nar_size INTEGER NOT NULL,
  first_push INTEGER NOT NULL,
  last_push INTEGER NOT NULL,
  pushed_by TEXT NOT NULL,
  PRIMARY KEY (hash, nar_hash)
) STRICT, WITHOUT ROWID;

CREATE TABLE pending (
  sequence INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  nars TEXT NOT NULL,
  refs TEXT NOT NULL,
  begun INTEGER NOT NULL
) STRICT;

CREATE TABLE runs (
  kind TEXT PRIMARY KEY,
  started INTEGER NOT NULL,
  finished INTEGER,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
`,
  `
CREATE TABLE findings (
  run TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  detail TEXT NOT NULL,
  repaired INTEGER NOT NULL,
  PRIMARY KEY (run, kind, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE unindexed (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  nar TEXT,
  file_hash TEXT NOT NULL,
  file_size INTEGER NOT NULL,
  refs TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX unindexed_by_nar ON unindexed (nar);
`,
  `
CREATE TABLE uploads (
  id TEXT PRIMARY KEY,
  nar TEXT NOT NULL,
  r2_id TEXT NOT NULL,
  started INTEGER NOT NULL,
  pushed_by TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE upload_parts (
  upload TEXT NOT NULL,
  number INTEGER NOT NULL,
  etag TEXT NOT NULL,
  size INTEGER NOT NULL,
  uploaded INTEGER NOT NULL,
  PRIMARY KEY (upload, number)
) STRICT, WITHOUT ROWID;
`,
  `
CREATE TABLE tokens (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  grants TEXT NOT NULL,
  minted_by TEXT NOT NULL,
  parent TEXT,
  created INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  revoked INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX tokens_by_expiry ON tokens (expires);
CREATE INDEX tokens_by_parent ON tokens (parent) WHERE parent IS NOT NULL;
`,
  `
ALTER TABLE pending ADD COLUMN objects TEXT NOT NULL DEFAULT '[]';

CREATE TABLE companions (
  key TEXT PRIMARY KEY,
  owner TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX companions_by_owner ON companions (owner);

CREATE TABLE pins (
  name TEXT PRIMARY KEY,
  keep_revisions INTEGER,
  keep_days INTEGER,
  etag TEXT,
  is_written INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE pin_revisions (
  pin TEXT NOT NULL,
  number INTEGER NOT NULL,
  hash TEXT NOT NULL,
  path_name TEXT NOT NULL,
  pinned INTEGER NOT NULL,
  pinned_by TEXT NOT NULL,
  until INTEGER,
  PRIMARY KEY (pin, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX pin_revisions_by_hash ON pin_revisions (hash);

CREATE TABLE marks (
  key TEXT PRIMARY KEY,
  living INTEGER NOT NULL,
  level INTEGER NOT NULL,
  state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX marks_fresh ON marks (level) WHERE state = 'fresh';
CREATE INDEX marks_dead ON marks (level) WHERE state = 'dead';
`,
  `
CREATE TABLE differing_realisations (
  hash TEXT NOT NULL,
  id TEXT NOT NULL,
  out_path TEXT NOT NULL,
  first_push INTEGER NOT NULL,
  last_push INTEGER NOT NULL,
  pushed_by TEXT NOT NULL,
  PRIMARY KEY (hash, id, out_path)
) STRICT, WITHOUT ROWID;
`,
  // The large tables, in their present layout.
  `
CREATE TABLE paths (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  nar TEXT NOT NULL,
  nar_hash TEXT NOT NULL,
  nar_size INTEGER NOT NULL,
  file_hash TEXT NOT NULL,
  file_size INTEGER NOT NULL,
  compression TEXT NOT NULL,
  deriver TEXT,
  ca TEXT,
  signers TEXT NOT NULL,
  narinfo TEXT NOT NULL,
  etag TEXT NOT NULL,
  incomplete INTEGER NOT NULL,
  first_push INTEGER NOT NULL,
  last_push INTEGER NOT NULL,
  pushed_by TEXT NOT NULL,
  wanted INTEGER NOT NULL
);
CREATE INDEX paths_age ON paths (first_push, hash);
CREATE INDEX paths_name ON paths (name, hash, deriver);

CREATE TABLE refs (
  referrer TEXT NOT NULL,
  reference TEXT NOT NULL,
  PRIMARY KEY (reference, referrer)
) WITHOUT ROWID;

CREATE TABLE nars (
  key TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  sha256 TEXT,
  is_stored INTEGER NOT NULL,
  uploaded INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  released INTEGER,
  facts TEXT,
  facts_etag TEXT,
  content TEXT,
  queued INTEGER,
  attempts INTEGER NOT NULL DEFAULT 0,
  path TEXT
) WITHOUT ROWID;
CREATE INDEX nars_released ON nars (released) WHERE released IS NOT NULL;
CREATE INDEX nars_queued ON nars (queued) WHERE queued IS NOT NULL;

CREATE TABLE further_paths (
  nar TEXT NOT NULL,
  hash TEXT NOT NULL,
  PRIMARY KEY (nar, hash)
) WITHOUT ROWID;

CREATE TABLE publications (
  sequence INTEGER PRIMARY KEY,
  hash TEXT NOT NULL,
  nars TEXT NOT NULL,
  refs TEXT NOT NULL,
  begun INTEGER NOT NULL
);

-- It follows from the pin's rule and the number now.
ALTER TABLE pin_revisions DROP COLUMN until;

INSERT INTO publications (sequence, hash, nars, refs, begun)
  SELECT sequence, key, nars, refs, begun FROM pending WHERE kind = 'publish';
DELETE FROM pending WHERE kind = 'publish';

CREATE TABLE doomed (
  hash TEXT PRIMARY KEY,
  referrers INTEGER NOT NULL,
  state TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX doomed_fresh ON doomed (hash) WHERE state = 'fresh';
CREATE INDEX doomed_ready ON doomed (hash) WHERE state = 'known' AND referrers <= 0;

-- How many findings there are. Of an earlier version the first are counted: the first request reads a bounded number.
CREATE TABLE finding_counts (
  run TEXT NOT NULL,
  kind TEXT NOT NULL,
  count INTEGER NOT NULL,
  repaired INTEGER NOT NULL,
  PRIMARY KEY (run, kind)
) WITHOUT ROWID;
INSERT INTO finding_counts (run, kind, count, repaired)
  SELECT run, kind, count(*), sum(repaired) FROM (SELECT run, kind, repaired FROM findings LIMIT 10000)
  GROUP BY run, kind;

-- One row: the running totals behind the statistics, as JSON. Without it a recount makes it.
CREATE TABLE figures (
  id INTEGER PRIMARY KEY,
  is_exact INTEGER NOT NULL,
  counted INTEGER NOT NULL,
  figures TEXT
) STRICT;

CREATE TABLE revoked_subjects (
  subject TEXT NOT NULL,
  issuer TEXT NOT NULL,
  revoked INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  PRIMARY KEY (subject, issuer)
) STRICT, WITHOUT ROWID;

ALTER TABLE tokens ADD COLUMN subject TEXT;
ALTER TABLE tokens ADD COLUMN issuer TEXT;
CREATE INDEX tokens_by_subject ON tokens (subject) WHERE subject IS NOT NULL;
CREATE INDEX tokens_by_name ON tokens (name) WHERE parent IS NULL;
CREATE INDEX tokens_by_revocation ON tokens (revoked) WHERE revoked IS NOT NULL;

CREATE TABLE upstream_paths (
  hash TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  upstream TEXT NOT NULL,
  found INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE mirror_queue (
  hash TEXT PRIMARY KEY,
  upstream TEXT NOT NULL,
  queued INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  due INTEGER NOT NULL,
  upload TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX mirror_queue_by_due ON mirror_queue (due, hash);

CREATE TABLE mirrored (
  upstream TEXT NOT NULL,
  day INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  PRIMARY KEY (upstream, day)
) STRICT, WITHOUT ROWID;

CREATE TABLE nar_names (
  name TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  sent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX nar_names_by_sent ON nar_names (sent);

ALTER TABLE uploads ADD COLUMN outcome TEXT;
CREATE INDEX uploads_by_nar ON uploads (nar, id);
`,
];

/** The version whose migration creates the large tables in their present layout. */
export const LAYOUT_VERSION = 7;
/** The large tables of an earlier layout are renamed to `old_…`. */
const LARGE_TABLES = ["paths", "refs", "nars"];

/** Brings the schema to the newest version. Synchronous and atomic; touches no rows of the large tables. */
export function migrate(storage: DurableObjectStorage, migrations: readonly string[] = MIGRATIONS): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
    const current =
      sql.exec<{ version: number }>("SELECT version FROM schema_version").toArray()[0]?.version ?? 0;
    if (current > migrations.length) {
      throw new Error(
        `${NEWER_SCHEMA} ${current}, this Worker has ${migrations.length}: deploy the newer version again`,
      );
    }
    if (current > 0 && current < LAYOUT_VERSION) {
      for (const table of LARGE_TABLES) sql.exec(`ALTER TABLE ${table} RENAME TO old_${table}`);
    }
    for (const migration of migrations.slice(current)) sql.exec(migration);
    if (current === migrations.length) return;
    sql.exec("DELETE FROM schema_version");
    sql.exec("INSERT INTO schema_version (version) VALUES (?)", migrations.length);
  });
}
