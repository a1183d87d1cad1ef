// Takes a narinfo into the catalog that was found in the bucket: what a crashed publication or another tool has written.
import type { CatalogContext } from "../context.ts";
import { verdictNow } from "../facts/verdict-now.ts";
import { indexPath } from "../rows/index-path.ts";
import { isIncomplete } from "../rows/paths.ts";
import type { Published } from "./published.ts";

/** Queues its NAR unless it is known to be right. Call it in a transaction. */
export function indexPublished(c: CatalogContext, published: Published): void {
  const isQueued = c.config.verify !== "off" && verdictNow(c, published.info).kind !== "verified";
  indexPath(c, { ...published, isQueued, isIncomplete: isIncomplete(c, published.info) });
}
