// The catalog's tables, as ordered migrations, run when the object starts. docs/catalog.md describes every table and
// column.

/** Each entry takes the schema from version N to N + 1. Never change a released entry: add one. */
export const MIGRATIONS: readonly string[] = [
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
  pushed_by TEXT NOT NULL
) STRICT;
CREATE INDEX paths_by_nar ON paths (nar);
CREATE INDEX paths_by_age ON paths (first_push, hash);

CREATE TABLE refs (
  referrer TEXT NOT NULL,
  reference TEXT NOT NULL,
  PRIMARY KEY (referrer, reference)
) STRICT, WITHOUT ROWID;
CREATE INDEX refs_by_reference ON refs (reference, referrer);

CREATE TABLE nars (
  key TEXT PRIMARY KEY,
  size INTEGER NOT NULL,
  sha256 TEXT,
  is_stored INTEGER NOT NULL,
  uploaded INTEGER NOT NULL,
  seen INTEGER NOT NULL,
  released INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX nars_by_release ON nars (released) WHERE released IS NOT NULL;

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
ALTER TABLE paths ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;
UPDATE paths SET wanted = last_push;
CREATE INDEX paths_by_want ON paths (wanted, hash);
CREATE INDEX paths_by_deriver ON paths (deriver) WHERE deriver IS NOT NULL;

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
`,
  // Upstreams.
  `
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
`,
];

/** Brings the tables to the newest version. Synchronous and atomic. */
export function migrate(storage: DurableObjectStorage, migrations: readonly string[] = MIGRATIONS): void {
  storage.transactionSync(() => {
    const { sql } = storage;
    sql.exec("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)");
    const current =
      sql.exec<{ version: number }>("SELECT version FROM schema_version").toArray()[0]?.version ?? 0;
    if (current > migrations.length) {
      throw new Error(
        `the catalog has schema ${current}, this Worker has ${migrations.length}: deploy the newer Worker again`,
      );
    }
    for (const migration of migrations.slice(current)) sql.exec(migration);
    if (current === migrations.length) return;
    sql.exec("DELETE FROM schema_version");
    sql.exec("INSERT INTO schema_version (version) VALUES (?)", migrations.length);
  });
}
