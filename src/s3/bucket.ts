// What S3 tools ask of a bucket before they copy it: where it is, and what is in it.
import { bucketOperation } from "../cache/bucket.ts";
import { KINDS } from "../cache/kinds.ts";
import { type ListedObject, listDocument, listDocumentV1, locationDocument } from "../http/xml.ts";
import type { Handler } from "../routes.ts";
import { xmlResponse } from "./answer.ts";
import { numberOf } from "./parameters.ts";

const MAX_KEYS = 1000;
/** Begins the markers that are the bucket's cursors; no key of a cache has a colon there. */
const CURSOR = "cursor:";

/** Parameters by which a listing is told from the front page. */
export const LIST_PARAMETERS = ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];

/** Answers `GET /<bucket>?location`. */
export const getLocation: Handler = async () => xmlResponse(locationDocument());

/** Answers `GET /<bucket>?list-type=2`, and the listing of the first version, which some tools still ask for. */
export const listObjects: Handler = async ({ bucket, config, query }) => {
  const parameters = new URLSearchParams(query);
  const isV2 = parameters.get("list-type") === "2";
  const marker = parameters.get("marker") ?? "";
  const [cursor, startAfter] = isV2
    ? [parameters.get("continuation-token") ?? "", parameters.get("start-after") ?? ""]
    : marker.startsWith(CURSOR)
      ? [marker.slice(CURSOR.length), ""]
      : ["", marker];
  const maxKeys = Math.min(numberOf(parameters, "max-keys", MAX_KEYS), MAX_KEYS);
  const prefix = parameters.get("prefix") ?? "";
  const delimiter = parameters.get("delimiter") ?? "";
  const page = await list(bucket, { prefix, delimiter, startAfter, cursor }, maxKeys);
  const listing = {
    bucket: config.cacheName,
    prefix,
    delimiter,
    maxKeys,
    isTruncated: page.truncated,
    encodeUrl: parameters.get("encoding-type") === "url",
    objects: page.objects.filter(({ key }) => isOfCache(key)).map(listed),
    commonPrefixes: page.delimitedPrefixes.filter(isFolderOfCache),
  };
  const nextCursor = page.truncated ? page.cursor : undefined;
  return xmlResponse(
    isV2
      ? listDocument({ ...listing, startAfter, cursor, nextCursor })
      : listDocumentV1({ ...listing, marker, nextMarker: nextCursor && `${CURSOR}${nextCursor}` }),
  );
};

async function list(
  bucket: R2Bucket,
  place: { prefix: string; delimiter: string; startAfter: string; cursor: string },
  limit: number,
): Promise<R2Objects> {
  if (limit === 0) return { objects: [], delimitedPrefixes: [], truncated: false };
  const given = Object.fromEntries(Object.entries(place).filter(([, value]) => value !== ""));
  return bucketOperation("list", () => bucket.list({ ...given, limit }));
}

function listed({ key, size, etag, uploaded }: R2Object): ListedObject {
  return { key, size, etag, lastModified: uploaded };
}

/** What else lies in the bucket, such as uploads that nobody has verified yet, is no part of the cache. */
function isOfCache(key: string): boolean {
  return key === "nix-cache-info" || KINDS.some(({ pattern }) => pattern.test(key));
}

const FOLDERS = new Set(KINDS.flatMap(({ pattern }) => /^\^([\w-]+)\\?\//.exec(pattern.source)?.[1] ?? []));

function isFolderOfCache(prefix: string): boolean {
  const slash = prefix.indexOf("/");
  // A prefix that no slash ends comes of another delimiter.
  return slash < 0 || FOLDERS.has(prefix.slice(0, slash));
}
