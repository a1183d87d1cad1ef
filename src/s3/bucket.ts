// The bucket requests of S3 tools: location and listing.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import type { Handler } from "../context.ts";
import { S3Error } from "../http/s3-error.ts";
import {
  bucketsDocument,
  type ListedObject,
  listDocument,
  listDocumentV1,
  locationDocument,
} from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { listEntries } from "./listing.ts";
import { numberOf } from "./parameters.ts";

const MAX_KEYS = 1000;

/** A request for the front page with one of these parameters asks for a listing. */
export const LIST_PARAMETERS = ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];

/** Answers `GET /` of an S3 client with the one bucket that it may see; other requests go to `frontPage`. */
export function listBucketsOr(frontPage: Handler): Handler {
  return async (context) =>
    asksForBuckets(context.request)
      ? xmlResponse(bucketsDocument(context.config.cacheName))
      : frontPage(context);
}

function asksForBuckets(request: Request): boolean {
  return request.method === "GET" && carriesSigV4(request) && new URL(request.url).pathname === "/";
}

/** Answers `GET /<bucket>?location`. */
export const getLocation: Handler = async () => xmlResponse(locationDocument());

/** Answers `GET /<bucket>?list-type=2`, and S3's first version of it, which some tools still use. */
export const listObjects: Handler = async ({ bucket, config, query }) => {
  const parameters = new URLSearchParams(query);
  const isV2 = parameters.get("list-type") === "2";
  const marker = parameters.get("marker") ?? "";
  const cursor = parameters.get("continuation-token") ?? "";
  const startAfter = parameters.get("start-after") ?? "";
  const maxKeys = Math.min(numberOf(parameters, "max-keys", MAX_KEYS), MAX_KEYS);
  const prefix = parameters.get("prefix") ?? "";
  const delimiter = parameters.get("delimiter") ?? "";
  if (delimiter !== "" && delimiter !== "/") {
    throw new S3Error(400, "InvalidArgument", "the delimiter of a listing can only be /");
  }
  const after = isV2 ? (cursor === "" ? startAfter : keyOfToken(cursor)) : marker;
  const place = { prefix, hasFolders: delimiter === "/", after };
  const { entries, next } = await listEntries(bucket, place, maxKeys);
  const listing = {
    bucket: config.cacheName,
    prefix,
    delimiter,
    maxKeys,
    isTruncated: next !== undefined,
    encodeUrl: parameters.get("encoding-type") === "url",
    objects: entries.flatMap(({ object }) => (object === undefined ? [] : listed(object))),
    commonPrefixes: entries.flatMap(({ key, object }) => (object === undefined ? key : [])),
  };
  return xmlResponse(
    isV2
      ? listDocument({ ...listing, startAfter, cursor, nextCursor: next && tokenOf(next) })
      : listDocumentV1({ ...listing, marker, nextMarker: next }),
  );
};

/** Opaque to clients. Encoded, because keys may have characters that XML does not have. */
function tokenOf(key: string): string {
  return new TextEncoder().encode(key).toBase64({ alphabet: "base64url", omitPadding: true });
}

function keyOfToken(token: string): string {
  try {
    return new TextDecoder().decode(Uint8Array.fromBase64(token, { alphabet: "base64url" }));
  } catch {
    // Not base64.
    throw new S3Error(400, "InvalidArgument", "the continuation-token is not from this cache");
  }
}

function listed({ key, size, etag, uploaded }: R2Object): ListedObject {
  return { key, size, etag, lastModified: uploaded };
}
