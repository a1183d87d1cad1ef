// Lists the objects of a cache in the order of their keys, without unverified uploads, pins, and the folders of other
// caches. Those folders are skipped and never entered: the length, cost and end of a page would reveal their number
// and names.
import { FOLDERS, KINDS } from "../bucket/kinds.ts";
import { bucketOperation } from "../bucket/operation.ts";
import { S3Error } from "../http/s3-error.ts";

/**
 * Operations of the bucket for one answer. One that this ends has fewer entries than were asked for; that takes
 * thousands of foreign objects between those of the cache.
 */
const MAX_OPERATIONS = 12;

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

/** The first entries after a place; `next` is where the others begin, `undefined` where there are none. */
export async function listEntries(
  bucket: R2Bucket,
  place: Place,
  limit: number,
): Promise<{ readonly entries: readonly Entry[]; readonly next?: string }> {
  const entries: Entry[] = [];
  if (limit === 0) return { entries };
  const walk: Walk = { operations: 0, passed: place.after, isCut: false };
  let last = "";
  for await (const entry of entriesOf(bucket, place, walk)) {
    if (entries.length === limit) return { entries, next: last };
    entries.push(entry);
    last = entry.key;
  }
  if (!walk.isCut) return { entries };
  if (walk.passed > place.after) return { entries, next: walk.passed };
  throw new S3Error(
    503,
    "ServiceUnavailable",
    "too much that is not of this cache lies in this part of the bucket; give a prefix, such as nar/",
  );
}

/** How far a listing has come. */
interface Walk {
  operations: number;
  /** The last key that has been looked at, never one in a folder of another cache. */
  passed: string;
  /** It ended because of {@link MAX_OPERATIONS}. */
  isCut: boolean;
}

async function* entriesOf(bucket: R2Bucket, place: Place, walk: Walk): AsyncGenerator<Entry> {
  const { prefix, hasFolders, after } = place;
  const folder = folderOf(prefix);
  if (folder !== "") {
    if (FOLDERS.includes(folder)) yield* entriesIn(bucket, place, walk);
    return;
  }
  const begun = folderOf(after);
  if (!hasFolders && FOLDERS.includes(begun) && begun.startsWith(prefix)) {
    yield* entriesIn(bucket, { prefix: begun, hasFolders, after }, walk);
    if (walk.isCut) return;
  }
  // Without a delimiter the rest of a folder that has begun is listed above.
  const behind = hasFolders || begun === "" ? after : endOf(begun);
  for await (const entry of pages(bucket, { prefix, hasFolders: true, after: behind }, walk)) {
    const isFolder = entry.object === undefined;
    if (isFolder && !FOLDERS.includes(entry.key)) continue;
    if (isFolder && !hasFolders) {
      yield* entriesIn(bucket, { prefix: entry.key, hasFolders, after: "" }, walk);
      if (walk.isCut) return;
      continue;
    }
    walk.passed = entry.key;
    if (isFolder || isOfCache(entry.key)) yield entry;
  }
}

/** What is in a folder of this cache. */
async function* entriesIn(bucket: R2Bucket, place: Place, walk: Walk): AsyncGenerator<Entry> {
  for await (const entry of pages(bucket, place, walk)) {
    walk.passed = entry.key;
    if (entry.object === undefined || isOfCache(entry.key)) yield entry;
  }
}

/** Reads R2's listing page by page. */
async function* pages(
  bucket: R2Bucket,
  { prefix, hasFolders, after }: Place,
  walk: Walk,
): AsyncGenerator<Entry> {
  // A folder that is an entry of this listing is passed with all that is in it.
  const isEntry =
    hasFolders && after.startsWith(prefix) && after.indexOf("/", prefix.length) === after.length - 1;
  const startAfter = isEntry && after !== prefix ? endOf(after) : after;
  let more: R2ListOptions | undefined = startAfter === "" ? {} : { startAfter };
  while (more !== undefined && !walk.isCut) {
    if (walk.operations === MAX_OPERATIONS) {
      walk.isCut = true;
      return;
    }
    walk.operations++;
    const options: R2ListOptions = { prefix, limit: PAGE, ...(hasFolders && { delimiter: "/" }), ...more };
    const page: R2Objects = await bucketOperation("list", () => bucket.list(options));
    const entries: Entry[] = [
      ...page.objects.map((object) => ({ key: object.key, object })),
      ...page.delimitedPrefixes.map((key) => ({ key })),
    ];
    yield* entries.sort((a, b) => compareAsR2(a.key, b.key));
    more = page.truncated ? { cursor: page.cursor } : undefined;
  }
}

function isOfCache(key: string): boolean {
  return key === "nix-cache-info" || KINDS.some(({ pattern }) => pattern.test(key));
}

/** Behind everything in a folder. */
function endOf(folder: string): string {
  return `${folder}\u{10ffff}`;
}

/** R2 orders keys by their bytes in UTF-8, JavaScript by UTF-16. */
function compareAsR2(a: string, b: string): number {
  // Only surrogates are ordered differently.
  if (!/[\ud800-\udfff]/.test(a + b)) return a < b ? -1 : 1;
  const encoder = new TextEncoder();
  const [left, right] = [encoder.encode(a), encoder.encode(b)];
  const at = left.findIndex((byte, index) => byte !== right[index]);
  return at < 0 ? left.length - right.length : (left[at] ?? 0) - (right[at] ?? -1);
}

/** The first folder of a key, with its slash; empty on the top level. */
function folderOf(key: string): string {
  return key.slice(0, key.indexOf("/") + 1);
}
