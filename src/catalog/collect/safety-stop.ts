// The safety stop: a collection that would remove more than half of the cache looks like a mistake.
import { GB } from "../../config/retention.ts";
import type { CatalogContext } from "../context.ts";
import type { Collection } from "./collection.ts";

const DAY_MS = 24 * 3600 * 1000;

/** The probable mistake, and how to continue anyway; `undefined` if no more than half would be removed. */
export function safetyStop(c: CatalogContext, collection: Collection): string | undefined {
  const { dead, before } = collection;
  if (dead.paths * 2 <= before.paths && dead.bytes * 2 <= before.bytes) return undefined;
  return `${dead.paths} of ${before.paths} paths, ${dead.bytes} of ${before.bytes} bytes would go, more than half of the cache; ${causeOf(c, collection)} If so, POST /api/v1/gc with {"force": true}`;
}

function causeOf(c: CatalogContext, { dead, rules, expiredBefore, newest }: Collection): string {
  const { pins } = c.sql.exec<{ pins: number }>("SELECT count(*) AS pins FROM pins").one();
  const quietDays = newest === null ? 0 : Math.floor((c.now() - newest) / DAY_MS);
  // Within a day nothing is wrong with CI, but probably with the rule.
  if (newest !== null && newest < expiredBefore && quietDays > 0) {
    const unpinned = pins === 0 ? "nothing is pinned, and " : "";
    return `${unpinned}nothing has been pushed for ${quietDays === 1 ? "a day" : `${quietDays} days`}: is CI still pushing?`;
  }
  return dead.too_large > dead.expired
    ? `max_size_gb = ${(rules.maxSizeBytes ?? 0) / GB} is less than half of what is here: is it right?`
    : `most paths are older than retention_days = ${rules.retentionDays}: is it right, and is everything pinned that must stay?`;
}
