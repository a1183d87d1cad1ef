// Walking the bucket: pages of its listing, and as much of a page's work as fits one step.
import { bucketOperation } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";
/** Objects on one page of a listing: the most that R2 gives. */
export const PAGE = 1000;
/** Sorts after every key. */
export const LAST = "\u{10ffff}";

export interface Page {
  /** In the order of their keys. */
  readonly objects: readonly R2Object[];
  /** The page tells of all keys after where it began up to this one; {@link LAST} on the last page. */
  readonly end: string;
}

/**
 * Lists what comes after a key. By key and not by R2's cursor: a run goes on after days, and a cursor's life is
 * documented nowhere.
 */
export async function listPage(
  c: CatalogContext,
  options: { readonly prefix?: string; readonly delimiter?: string },
  after: string,
): Promise<Page> {
  let cursor: string | undefined;
  do {
    const place = cursor !== undefined ? { cursor } : after === "" ? {} : { startAfter: after };
    const listed = await bucketOperation("list", () => c.bucket.list({ ...options, ...place, limit: PAGE }));
    // No narinfo can name another key, so that there is nothing to know of it; and here all orders are the same.
    const objects = listed.objects.filter((object) => /^[!-~]+$/.test(object.key));
    if (!listed.truncated) return { objects, end: LAST };
    // After a folder its contents would follow, but "0" is the character after "/".
    const folder = listed.delimitedPrefixes.at(-1)?.replace(/\/$/, "0") ?? "";
    const last = listed.objects.at(-1)?.key ?? "";
    const end = [folder, last].sort().at(-1) ?? "";
    if (end !== "") return { objects, end };
    cursor = listed.cursor;
  } while (cursor !== undefined);
  return { objects: [], end: LAST };
}
