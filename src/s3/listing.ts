// Lists the objects of a cache in the order of their keys, without unverified uploads, pins, and the folders of other
// caches. Those folders are skipped and never entered: the length, cost and end of a page would reveal their number
// and names.
import { FOLDERS, KINDS } from "../bucket/kinds.ts";
import { bucketOperation } from "../bucket/operation.ts";

/** Entries on a page of R2's listing: always its maximum, so that the number of operations reveals nothing. */
const PAGE = 1000;

export interface Entry {
  /** An object's key, or a folder's (with its slash) where the listing has a delimiter. */
  readonly key: string;
  /** Absent for a folder. */
  readonly object?: R2Object;
}

export interface Place {
  readonly prefix: string;
  /** Whether a folder is one entry, instead of its objects. */
  readonly hasFolders: boolean;
  /** The listing begins behind this key; empty for the beginning. */
  readonly after: string;
}

/** The first entries after a place, and whether there are more. */
export async function listEntries(
  bucket: R2Bucket,
  place: Place,
  limit: number,
): Promise<{ readonly entries: readonly Entry[]; readonly isTruncated: boolean }> {
  const entries: Entry[] = [];
  if (limit === 0) return { entries, isTruncated: false };
  for await (const entry of entriesOf(bucket, place)) {
    if (entries.length === limit) return { entries, isTruncated: true };
    entries.push(entry);
  }
  return { entries, isTruncated: false };
}

async function* entriesOf(bucket: R2Bucket, place: Place): AsyncGenerator<Entry> {
  const { prefix, hasFolders, after } = place;
  const folder = folderOf(prefix);
  if (folder !== "") {
    if (FOLDERS.includes(folder)) yield* pages(bucket, place);
    return;
  }
  const begun = folderOf(after);
  if (!hasFolders && FOLDERS.includes(begun) && begun.startsWith(prefix)) {
    yield* pages(bucket, { prefix: begun, hasFolders, after });
  }
  const behind = hasFolders || begun === "" ? after : begun;
  for await (const entry of pages(bucket, { prefix, hasFolders: true, after: behind })) {
    if (entry.object !== undefined) yield entry;
    else if (!FOLDERS.includes(entry.key)) continue;
    else if (hasFolders) yield entry;
    else yield* pages(bucket, { prefix: entry.key, hasFolders, after: "" });
  }
}

/** Reads R2's listing page by page. */
async function* pages(bucket: R2Bucket, { prefix, hasFolders, after }: Place): AsyncGenerator<Entry> {
  // Skips the objects of a folder: "0" is the character after "/".
  const startAfter = after.replace(/\/$/, "0");
  let more: R2ListOptions | undefined = startAfter === "" ? {} : { startAfter };
  while (more !== undefined) {
    const options: R2ListOptions = { prefix, limit: PAGE, ...(hasFolders && { delimiter: "/" }), ...more };
    const page: R2Objects = await bucketOperation("list", () => bucket.list(options));
    const entries: Entry[] = [
      ...page.objects.filter(({ key }) => isOfCache(key)).map((object) => ({ key: object.key, object })),
      ...page.delimitedPrefixes.map((key) => ({ key })),
    ];
    yield* entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    more = page.truncated ? { cursor: page.cursor } : undefined;
  }
}

function isOfCache(key: string): boolean {
  return key === "nix-cache-info" || KINDS.some(({ pattern }) => pattern.test(key));
}

/** The first folder of a key, with its slash; empty on the top level. */
function folderOf(key: string): string {
  return key.slice(0, key.indexOf("/") + 1);
}
