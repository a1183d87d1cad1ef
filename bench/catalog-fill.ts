// `node bench/catalog-fill.ts FILE PATHS [VERSION]`: fills the SQLite file of a catalog that a local server has made,
// while no server runs. Without VERSION in the layout of now, else in that of an earlier version. It is a program of
// its own because it needs the types of the Workers runtime.
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import type { CatalogContext } from "../src/catalog/context.ts";
import { Locks } from "../src/catalog/locks.ts";
import { migrate } from "../src/catalog/schema.ts";
import { configOf } from "../src/config/config.ts";
import type { Env } from "../src/env.ts";
import { graphOf } from "./catalog-graph.ts";
import { fillOldCatalog, OLD_VERSION } from "./catalog-old.ts";
import { fillCatalog, prepareCatalog } from "./catalog-rows.ts";

/** Paths of one transaction. */
const BATCH = 10_000;
const CACHE_KIB = 4 * 1024 ** 2;

const [file = "", count, version] = process.argv.slice(2);
const graph = graphOf(Number(count));
const database = new DatabaseSync(file);
// A crash only costs the file, which is made anew.
database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE_KIB}`);
if (version === undefined) {
  const context = contextOf(database);
  await prepareCatalog(context);
  for (let from = 0; from < graph.paths; from += BATCH) {
    fillCatalog(context, graph, from, Math.min(from + BATCH, graph.paths));
  }
} else if (Number(version) === OLD_VERSION) {
  fillOldCatalog(database, graph);
} else {
  throw new Error(`no rows of version ${version} are known here`);
}
database.close();

/** As much of a context as writing rows needs. */
function contextOf(database: DatabaseSync): CatalogContext {
  const sql = sqlStorage(database);
  const transaction = <T>(run: () => T): T => {
    database.exec("BEGIN");
    const result = run();
    database.exec("COMMIT");
    return result;
  };
  migrate({ sql, transactionSync: transaction } as unknown as DurableObjectStorage);
  return {
    ...{
      sql,
      bucket: {} as R2Bucket,
      locks: new Locks(),
      publications: new Map(),
      unsentIntents: new Set(),
      readings: new Map(),
    },
    // Transactions within one another, as the statements have them, are one here.
    transaction: (run) => (database.isTransaction ? run() : transaction(run)),
    // Nothing is written into a bucket.
    config: configOf({
      ...{ BUCKET: {}, CATALOG: {} },
      CACHES: { "nix-cache": { retention_days: 30 } },
    } as unknown as Env),
    now: () => Date.now(),
    wakeForVerification: () => {},
    wakeForSweep: () => {},
  } as Partial<CatalogContext> as CatalogContext;
}

/** The interface of a Durable Object's storage over a file. */
function sqlStorage(database: DatabaseSync): SqlStorage {
  const statements = new Map<string, StatementSync>();
  const exec = (query: string, ...bindings: SQLInputValue[]) => {
    if (bindings.length === 0 && /;\s*\S/.test(query)) {
      database.exec(query);
      return cursorOf([]);
    }
    const statement = statements.get(query) ?? database.prepare(query);
    statements.set(query, statement);
    if (!/\?\d/.test(query)) return cursorOf(statement.all(...bindings));
    const named = Object.fromEntries(bindings.map((value, index) => [`?${index + 1}`, value]));
    return cursorOf(statement.all(named));
  };
  return { exec } as unknown as SqlStorage;
}

function cursorOf(rows: readonly unknown[]) {
  return {
    toArray: () => rows,
    one: () => rows[0],
    [Symbol.iterator]: () => rows[Symbol.iterator](),
    ...{ rowsRead: 0, rowsWritten: 0 },
  };
}
