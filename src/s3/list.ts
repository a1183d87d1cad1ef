// A page of the cache's keys, out of a bucket in which other things lie as well: uploads that nobody has verified yet,
// pins, the folders of other caches. Nothing is told of those, not even by the place where a page ends.
import { bucketOperation } from "../cache/bucket.ts";
import { KINDS } from "../cache/kinds.ts";
import { S3Error } from "../http/s3-error.ts";

/** Looks at the bucket for one page: each of them skips a folder that is not the cache's. */
const MAX_LISTINGS = 100;

export interface Place {
  readonly prefix: string;
  /** Empty for none. */
  readonly delimiter: string;
  /** What comes after this key; empty for all. */
  readonly after: string;
}

export interface KeyPage {
  readonly objects: readonly R2Object[];
  /** What the keys have up to the delimiter after the prefix. */
  readonly prefixes: readonly string[];
  /** The `after` of the next page; absent on the last. */
  readonly next?: string;
}

/** At most `limit` (1 to 1000) keys and prefixes. */
export async function listKeys(bucket: R2Bucket, place: Place, limit: number): Promise<KeyPage> {
  const { prefix, delimiter } = place;
  const objects: R2Object[] = [];
  const prefixes: string[] = [];
  let after = afterFolder(place.after, delimiter);
  if (prefix.includes("/") && !isOfCache(prefix)) return { objects, prefixes };
  for (let listings = 0; listings < MAX_LISTINGS; listings++) {
    const options = {
      limit: limit - objects.length - prefixes.length,
      ...(prefix !== "" && { prefix }),
      ...(delimiter !== "" && { delimiter }),
      ...(after !== "" && { startAfter: after }),
    };
    const page = await bucketOperation("list", () => bucket.list(options));
    objects.push(...page.objects.filter(({ key }) => isOfCache(key)));
    prefixes.push(...page.delimitedPrefixes.filter(isOfCache));
    if (!page.truncated) return { objects, prefixes };
    const last = [page.objects.at(-1)?.key ?? "", page.delimitedPrefixes.at(-1) ?? ""].sort().at(-1) ?? "";
    after = afterFolder(last, delimiter);
    if (objects.length + prefixes.length >= limit) return { objects, prefixes, next: after };
    if (!isOfCache(last)) after = last.replace(/\/.*$/s, "0");
  }
  throw new S3Error(503, "SlowDown", "too much else lies in this bucket; list a prefix, such as nar/");
}

/** Behind a whole folder where the key is one: "0" is the character after "/". */
function afterFolder(key: string, delimiter: string): string {
  return delimiter === "/" && key.endsWith("/") ? key.replace(/\/$/, "0") : key;
}

const FOLDERS = new Set(KINDS.flatMap(({ pattern }) => /^\^([\w-]+)\\?\//.exec(pattern.source)?.[1] ?? []));

/** Of keys, and of prefixes that end behind their first slash. */
function isOfCache(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash >= 0) return FOLDERS.has(key.slice(0, slash));
  return key === "nix-cache-info" || KINDS.some(({ pattern }) => pattern.test(key));
}
