// The deployed Worker, with everything counted that the platform counts. `GET /bench/spent` answers with the counts.
import { Catalog } from "../src/catalog/catalog.ts";
import { configOf } from "../src/config/config.ts";
import type { Env } from "../src/env.ts";
import NixCache, { handle } from "../src/index.ts";
import { type AlarmReport, NOTHING, type Report, type Spent } from "./catalog-report.ts";

/** Read and reset by each report. The local runtime has Worker and Durable Object in one isolate. */
let spent: Spent = { ...NOTHING };
let alarms: AlarmReport[] = [];

const CLASSES: Readonly<Record<string, keyof Spent>> = {
  ...{ put: "classA", list: "classA", createMultipartUpload: "classA" },
  ...{ head: "classB", get: "classB", delete: "deletes" },
};

export class MeasuredCatalog extends Catalog {
  readonly #cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  #isInAlarm = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, counted(env));
    const { sql } = this.context;
    const exec = (query: string, ...bindings: SqlStorageValue[]) => {
      // All cursors but the newest have been read to their end.
      if (this.#cursors.length > 1000) this.#count(1);
      const cursor = sql.exec(query, ...bindings);
      this.#cursors.push(cursor);
      return cursor;
    };
    const measured = {
      get databaseSize() {
        return sql.databaseSize;
      },
      exec,
    };
    Object.assign(this, { context: { ...this.context, sql: measured } });
    const setAlarm = ctx.storage.setAlarm.bind(ctx.storage);
    ctx.storage.setAlarm = (time, options) => {
      spent.rowsWritten++;
      return setAlarm(time, options);
    };
  }

  override async alarm(): Promise<void> {
    this.#count();
    const before = { ...spent };
    const began = Date.now();
    this.#isInAlarm = true;
    try {
      await super.alarm();
    } finally {
      this.#isInAlarm = false;
      this.#count();
      const names = Object.keys(spent) as (keyof Spent)[];
      const own = Object.fromEntries(names.map((name) => [name, spent[name] - before[name]]));
      alarms.push({ ms: Date.now() - began, spent: own as unknown as Spent });
    }
  }

  async report(): Promise<Report> {
    this.#count();
    const due = await this.ctx.storage.getAlarm();
    const answer = { spent, alarms, dueMs: due === null ? null : due - Date.now() };
    spent = { ...NOTHING };
    alarms = [];
    return { ...answer, isInAlarm: this.#isInAlarm };
  }

  /** Adds the rows of all cursors but the newest `keep`: a cursor's counts grow while it is read. */
  #count(keep = 0): void {
    for (const { rowsRead, rowsWritten } of this.#cursors.splice(0, this.#cursors.length - keep)) {
      spent.rowsRead += rowsRead;
      spent.rowsWritten += rowsWritten;
    }
  }
}

const environments = new WeakMap<Env, Env>();

/** The same bindings, counted. Always the same one, because the Worker remembers what it knows of an environment. */
function counted(env: Env): Env {
  const known = environments.get(env);
  if (known !== undefined) return known;
  const BUCKET = new Proxy(env.BUCKET, {
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
  const getByName = (name: string) =>
    new Proxy(env.CATALOG.getByName(name), {
      get(target, property) {
        const method = Reflect.get(target, property, target) as (...parameters: unknown[]) => unknown;
        return (...parameters: unknown[]) => {
          spent.calls++;
          return Reflect.apply(method, target, parameters);
        };
      },
    });
  const result = { ...env, BUCKET, CATALOG: { getByName } } as unknown as Env;
  environments.set(env, result);
  return result;
}

export default class extends NixCache {
  override async fetch(request: Request): Promise<Response> {
    if (new URL(request.url).pathname !== "/bench/spent") return handle(request, counted(this.env), this.ctx);
    const stub = this.env.CATALOG.getByName(configOf(this.env).cacheName);
    return Response.json(await (stub as unknown as MeasuredCatalog).report());
  }
}
