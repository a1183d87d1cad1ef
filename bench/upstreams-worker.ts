// The Worker with counters: operations of the bucket by billing class, calls of the catalog, rows that it writes, and
// questions to upstreams. Nothing but the counting differs from the deployed one.
import { Catalog } from "../src/catalog/catalog.ts";
import { metered } from "../src/catalog/meter.ts";
import type { Env } from "../src/env.ts";
import { handle } from "../src/index.ts";

const counts = { class_a: 0, class_b: 0, catalog_calls: 0, rows_read: 0, rows_written: 0 };
const CLASS_A: readonly PropertyKey[] = ["put", "list", "createMultipartUpload"];
const CLASS_B: readonly PropertyKey[] = ["head", "get"];

/** The same object, and `note` is told of every call of a method. */
function watched<T extends object>(target: T, note: (name: PropertyKey) => void): T {
  return new Proxy(target, {
    get(_, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...parameters: unknown[]) => {
        note(property);
        return Reflect.apply(value, target, parameters);
      };
    },
  });
}

function noteBucket(name: PropertyKey): void {
  if (CLASS_A.includes(name)) counts.class_a++;
  if (CLASS_B.includes(name)) counts.class_b++;
}

export class CountedCatalog extends Catalog {
  readonly #meter: ReturnType<typeof metered>;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#meter = metered(this.context);
    Object.assign(this, { context: this.#meter.context });
  }

  /** What it has spent since the last call. */
  spent(): ReturnType<ReturnType<typeof metered>["spent"]> {
    const spent = this.#meter.spent();
    const copy = { ...spent };
    Object.assign(spent, { class_a: 0, class_b: 0, deletes: 0, rows_read: 0, rows_written: 0 });
    return copy;
  }
}

const environments = new WeakMap<Env, Env>();

/** One for all requests, so that the configuration is parsed once. */
function counted(env: Env): Env {
  let made = environments.get(env);
  if (made === undefined) {
    const getByName = (name: string) => watched(env.CATALOG.getByName(name), () => counts.catalog_calls++);
    made = {
      ...env,
      BUCKET: watched(env.BUCKET, noteBucket),
      CATALOG: { getByName } as unknown as Env["CATALOG"],
    };
    environments.set(env, made);
  }
  return made;
}

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    if (new URL(request.url).pathname !== "/counts") return handle(request, counted(env), ctx);
    const catalog = env.CATALOG.getByName("nix-cache") as unknown as CountedCatalog;
    const spent = await catalog.spent();
    const all = {
      ...counts,
      class_a: counts.class_a + spent.class_a,
      class_b: counts.class_b + spent.class_b,
      rows_read: spent.rows_read,
      rows_written: spent.rows_written,
    };
    Object.assign(counts, { class_a: 0, class_b: 0, catalog_calls: 0 });
    return Response.json(all);
  },
} satisfies ExportedHandler<Env>;
