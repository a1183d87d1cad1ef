// The oldest of the dead, for the report of a collection.
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import type { Collection } from "./collection.ts";

interface Dead {
  /** The hash part. */
  readonly key: string;
  /** Both are null where the path has been deleted meanwhile. */
  readonly name: string | null;
  readonly wanted: number | null;
}

/** Names these paths as well, as far as they are among the `limit` oldest by last use, then by store path. */
export function nameOldest(
  c: CatalogContext,
  collection: Collection,
  paths: readonly Dead[],
  limit: number,
): void {
  const named = paths.flatMap(({ key, name, wanted }) =>
    name === null || wanted === null
      ? []
      : [{ store_path: `${c.config.storeDir}/${key}-${name}`, last_used: isoTime(wanted) }],
  );
  const order = (path: Collection["oldest"][number]) => `${path.last_used} ${path.store_path}`;
  collection.oldest = [...collection.oldest, ...named]
    .sort((a, b) => (order(a) < order(b) ? -1 : 1))
    .slice(0, limit);
}
