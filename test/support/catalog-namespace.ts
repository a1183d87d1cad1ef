/** The catalog of a cache under test: the real Durable Object, with the bucket and the variables of that test. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { bucketFolder } from "../../src/bucket/folder.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { addSpent, metered } from "../../src/catalog/meter.ts";
import { cacheNamed, configOf, undeclared } from "../../src/config/config.ts";
import type { Spent } from "../../src/contract/runs.ts";
import type { Env } from "../../src/env.ts";
import { upstreamsOf } from "../../src/upstream/upstreams.ts";

type Call = (...parameters: unknown[]) => Promise<unknown>;

/** The events around a catalog, in order. */
export interface CatalogLog {
  /** The methods that the Worker has called. */
  readonly calls: string[];
  /** Milliseconds for which the catalog would have waited. */
  readonly waits: number[];
  /** Paths that it has dropped from the cache in front of the Worker. */
  readonly purged: string[];
  /** The cost of its calls, apart from alarms. */
  spent: Spent;
}

/** The original context of each object: an object outlives the cache that has changed it. */
const originals = new WeakMap<Catalog, CatalogContext>();

/**
 * A namespace whose object works with `environment`: the object of the runtime has the variables of wrangler.toml and
 * a bucket that never fails. Its calls run inside the object, and what goes in and comes out is copied, as over RPC.
 * It never really waits.
 */
export function catalogWith(environment: () => Env, log: CatalogLog): DurableObjectNamespace<Catalog> {
  /** Returns the cost of what is done with it. */
  function furnish(catalog: Catalog, name: string): () => Spent {
    const original = originals.get(catalog) ?? catalog.context;
    originals.set(catalog, original);
    const deployment = configOf(environment());
    const config = cacheNamed(deployment, name) ?? undeclared(deployment, name);
    const { context, spent } = metered({
      ...original,
      bucket: bucketFolder(environment().BUCKET, config.folder),
      config,
      upstreams: upstreamsOf(environment(), config, (work) => void work),
      wait: async (ms: number) => void log.waits.push(ms),
      purge: (paths: readonly string[]) => {
        log.purged.push(...paths);
        return original.purge(paths);
      },
    });
    Object.assign(catalog, { context });
    return spent;
  }

  function method(name: string, property: string): Call {
    return async (...parameters) => {
      log.calls.push(property);
      const sent = structuredClone(parameters);
      const answer = await runInDurableObject(env.CATALOG.getByName(name), async (catalog: Catalog) => {
        const spent = furnish(catalog, name);
        try {
          return await (Reflect.get(catalog, property) as Call).apply(catalog, sent);
        } finally {
          log.spent = addSpent(log.spent, spent());
        }
      });
      return structuredClone(answer);
    };
  }

  const getByName = (name: string) => new Proxy({}, { get: (_, property) => method(name, String(property)) });
  return { getByName } as unknown as DurableObjectNamespace<Catalog>;
}
