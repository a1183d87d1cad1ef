// `node bench/catalog-fill.ts FILE PATHS [VERSION]`: fills the SQLite file of a catalog that a local server has made,
// while no server runs. Without VERSION in the layout of now, else in that of an earlier version. It is a program of
// its own because it needs the types of the Workers runtime.
import { registerHooks } from "node:module";
import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { scheduler } from "node:timers/promises";
import type { CatalogContext } from "../src/catalog/context.ts";
import type { Env } from "../src/env.ts";
import { graphOf } from "./catalog-graph.ts";
import { fillOldCatalog, OLD_VERSION } from "./catalog-old.ts";

/** Paths of one transaction. */
const BATCH = 10_000;
const CACHE_KIB = 4 * 1024 ** 2;
/** The one module that only the Workers runtime has: as much of it as a catalog needs. */
const WORKERS = `
  export class DurableObject { constructor(ctx, env) { this.ctx = ctx; this.env = env; } }
  export const waitUntil = undefined;
`;

// A global of the Workers runtime: the cache of what upstreams have answered, of which none is asked here.
Object.assign(globalThis, { caches: { default: undefined } });

const [file = "", count, version] = process.argv.slice(2);
const graph = graphOf(Number(count));
const database = new DatabaseSync(file);
// A crash only costs the file, which is made anew.
database.exec(`PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -${CACHE_KIB}`);
// When all that the catalog does later is done, too.
process.once("beforeExit", () => database.close());
if (version === undefined) {
  const context = await openCatalog(database);
  const { fillCatalog, prepareCatalog } = await import("./catalog-rows.ts");
  await prepareCatalog(context);
  for (let from = 0; from < graph.paths; from += BATCH) {
    fillCatalog(context, graph, from, Math.min(from + BATCH, graph.paths));
  }
} else if (Number(version) === OLD_VERSION) {
  fillOldCatalog(database, graph);
} else {
  throw new Error(`no rows of version ${version} are known here`);
}

/** The catalog itself, in Node: whatever writing a row involves, it does. */
async function openCatalog(database: DatabaseSync): Promise<CatalogContext> {
  registerHooks({
    resolve: (specifier, context, next) =>
      specifier === "cloudflare:workers"
        ? { url: `data:text/javascript,${encodeURIComponent(WORKERS)}`, shortCircuit: true }
        : next(specifier, context),
  });
  Object.assign(globalThis, { scheduler });
  const { Catalog } = await import("../src/catalog/catalog.ts");
  const storage = {
    sql: sqlStorage(database),
    transactionSync: <T>(run: () => T): T => {
      if (database.isTransaction) return run();
      database.exec("BEGIN");
      const result = run();
      database.exec("COMMIT");
      return result;
    },
    getAlarm: async () => null,
    setAlarm: async () => {},
    // The server has bound it to the top level of the bucket.
    kv: { get: () => "", put: () => {} },
  };
  const state = {
    ...{ id: { name: "nix-cache" }, storage, blockConcurrencyWhile: (run: () => unknown) => run() },
    exports: { default: { purgeEdge: async () => {} } },
  };
  const env = { BUCKET: {}, CATALOG: {}, CACHES: { "nix-cache": { retention_days: 30 } } };
  return new Catalog(state as unknown as DurableObjectState, env as unknown as Env).context;
}

/** The interface of a Durable Object's storage over a file. */
function sqlStorage(database: DatabaseSync) {
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
  return { exec, databaseSize: 0 };
}

function cursorOf(rows: readonly unknown[]) {
  return {
    toArray: () => rows,
    one: () => rows[0],
    [Symbol.iterator]: () => rows[Symbol.iterator](),
    ...{ rowsRead: 0, rowsWritten: 0 },
  };
}
