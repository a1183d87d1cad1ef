// The rule for keeping revisions of a pin.
import type { Keep } from "../../contract/pins.ts";
import type { CatalogContext } from "../context.ts";
import { type Revision, savePinRows } from "../rows/pins.ts";

const DAY_MS = 24 * 3600 * 1000;

/** Writes the rows of a pin and of its kept revisions; `revisions` has the newest first. Call it in a transaction. */
export function savePin(c: CatalogContext, name: string, keep: Keep, revisions: readonly Revision[]): void {
  const kept = revisions
    .map((revision, index) => ({ ...revision, until: untilOf(revision, index, keep) }))
    .filter(({ until }) => until === undefined || until > c.now());
  savePinRows(c, name, keep, kept);
}

/** When the revision with this index, the newest being 0, ceases to be kept (milliseconds); `undefined`: not by time. */
function untilOf({ pinned }: Revision, index: number, keep: Keep): number | undefined {
  const { keepRevisions, keepDays } = keep;
  if (index === 0 || (keepRevisions === undefined && keepDays === undefined)) return undefined;
  if (keepRevisions !== undefined && index < keepRevisions) return undefined;
  return keepDays === undefined ? 0 : pinned + keepDays * DAY_MS;
}
