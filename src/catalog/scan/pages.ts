// Pages of the bucket's listing.
import { bucketOperation } from "../../bucket/operation.ts";
import type { CatalogContext } from "../context.ts";

/** Objects on one page of a listing: R2's maximum. */
export const PAGE = 1000;
/** Sorts after every key. */
export const LAST = "\u{10ffff}";

export interface Page {
  /** In the order of their keys. */
  readonly objects: readonly R2Object[];
  /** The page covers all keys from its beginning up to this one; {@link LAST} on the last page. */
  readonly end: string;
}

/**
 * Lists the objects after a key. A run may continue after days and R2 documents no lifetime of its cursor, so a run
 * keeps the key instead.
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
    // The only keys that a narinfo can name. Among these keys JavaScript, SQLite and R2 agree on the order.
    const objects = listed.objects.filter((object) => /^[!-~]+$/.test(object.key));
    if (!listed.truncated) return { objects, end: LAST };
    // Skip the contents of the last folder: "0" is the character after "/".
    const folder = listed.delimitedPrefixes.at(-1)?.replace(/\/$/, "0") ?? "";
    const last = listed.objects.at(-1)?.key ?? "";
    const end = [folder, last].sort().at(-1) ?? "";
    if (end !== "") return { objects, end };
    cursor = listed.cursor;
  } while (cursor !== undefined);
  return { objects: [], end: LAST };
}

/** The objects of these folders after a key, of one folder at a time. The folders are in the order of the listing. */
export async function listFolders(
  c: CatalogContext,
  folders: readonly string[],
  after: string,
): Promise<Page> {
  const folder = folders.find((each) => after < endOf(each)) ?? "";
  const { objects, end } = await listPage(c, { prefix: folder }, after > folder ? after : "");
  const isLast = folder === folders.at(-1);
  return { objects, end: end === LAST && !isLast ? endOf(folder) : end };
}

/** The first key after a folder: "0" is the character after "/". */
function endOf(folder: string): string {
  return folder.replace("/", "0");
}
