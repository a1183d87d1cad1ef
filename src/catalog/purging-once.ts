// One purge of the edge for many operations: the platform allows about five a minute.
import type { CatalogContext } from "./context.ts";

/**
 * Runs `work` with a context that only collects what is to be purged, and purges it when the work has ended or failed.
 * If the process dies before, nothing is purged: then the edge serves these objects until their max-age.
 */
export async function purgingOnce<T>(c: CatalogContext, work: (c: CatalogContext) => Promise<T>): Promise<T> {
  const collected = new Set<string>();
  const collect = async (paths: readonly string[]) => {
    for (const path of paths) collected.add(path);
  };
  try {
    return await work({ ...c, purge: collect });
  } finally {
    if (collected.size > 0) await c.purge([...collected]);
  }
}
