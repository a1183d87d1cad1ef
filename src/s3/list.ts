// Answers listings of S3 tools: of objects by both versions of ListObjects and by ListObjectVersions, and of uploads.
import { s3Etag } from "../bucket/s3-etag.ts";
import type { Context, Handler } from "../context.ts";
import { S3Error } from "../http/s3-error.ts";
import { REGION, REGION_HEADER } from "../http/s3-region.ts";
import {
  type ListedObject,
  type Listing,
  listDocument,
  listDocumentV1,
  uploadsDocument,
  versionsDocument,
} from "../http/xml.ts";
import { xmlResponse } from "./answer.ts";
import { listEntries } from "./listing.ts";
import { numberOf } from "./parameters.ts";
import { formatUploadId, parseUploadId } from "./upload-id.ts";

/** Entries on a page, as in S3. */
const MAX_KEYS = 1000;
const IN_REGION = { [REGION_HEADER]: REGION };

/** A request for the front page with one of these parameters asks for a listing. */
export const LIST_PARAMETERS = ["list-type", "prefix", "delimiter", "max-keys", "marker", "encoding-type"];

/** Answers HeadBucket and all listings of `GET /<bucket>`. */
export const list: Handler = async (context) => {
  if (context.request.method === "HEAD") {
    return new Response(null, { headers: { ...IN_REGION, "Cache-Control": "no-store" } });
  }
  const parameters = new URLSearchParams(context.query);
  const document = parameters.has("uploads")
    ? await uploads(context, parameters)
    : parameters.has("versions")
      ? await versions(context, parameters)
      : await objects(context, parameters);
  return xmlResponse(document, IN_REGION);
};

async function objects(context: Context, parameters: URLSearchParams): Promise<string> {
  if (parameters.get("list-type") !== "2") {
    const marker = parameters.get("marker") ?? "";
    const { listing, next } = await page(context, parameters, marker);
    return listDocumentV1({ ...listing, marker, nextMarker: next });
  }
  const token = parameters.get("continuation-token");
  const cursor = token ?? "";
  const startAfter = parameters.get("start-after") ?? "";
  const { listing, next } = await page(context, parameters, cursor === "" ? startAfter : keyOfToken(cursor));
  const hasEmptyCursor = token === "";
  return listDocument({ ...listing, startAfter, cursor, hasEmptyCursor, nextCursor: next && tokenOf(next) });
}

/** There is one version of each object, and no marker of a deleted one. */
async function versions(context: Context, parameters: URLSearchParams): Promise<string> {
  const keyMarker = parameters.get("key-marker") ?? "";
  const { listing, next } = await page(context, parameters, keyMarker);
  return versionsDocument({ ...listing, keyMarker, nextKeyMarker: next });
}

async function page(
  { bucket, config }: Context,
  parameters: URLSearchParams,
  after: string,
): Promise<{ readonly listing: Listing; readonly next: string | undefined }> {
  const maxKeys = Math.min(numberOf(parameters, "max-keys", MAX_KEYS), MAX_KEYS);
  const prefix = parameters.get("prefix") ?? "";
  const delimiter = parameters.get("delimiter") ?? "";
  if (delimiter !== "" && delimiter !== "/") {
    throw new S3Error(400, "InvalidArgument", "the delimiter of a listing can only be /");
  }
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
  return { listing, next };
}

/** Answers ListMultipartUploads. A delimiter is refused: no tool groups uploads. */
async function uploads({ catalog, config }: Context, parameters: URLSearchParams): Promise<string> {
  if (parameters.get("delimiter")) {
    throw new S3Error(501, "NotImplemented", "a listing of uploads can have a prefix, and no delimiter");
  }
  const maxUploads = Math.min(numberOf(parameters, "max-uploads", MAX_KEYS), MAX_KEYS);
  const prefix = parameters.get("prefix") ?? "";
  const keyMarker = parameters.get("key-marker") ?? "";
  const uploadIdMarker = parameters.get("upload-id-marker") ?? "";
  const place =
    uploadIdMarker === ""
      ? { afterKey: keyMarker }
      : { afterKey: keyMarker, afterId: parseUploadId(uploadIdMarker).id };
  // One more says whether there are more.
  const limit = maxUploads === 0 ? 0 : maxUploads + 1;
  const found = await catalog((c) => c.listUploads({ prefix, ...place, limit }));
  const listed = found.slice(0, maxUploads).map(({ key, started, ...id }) => ({
    key,
    uploadId: formatUploadId(id),
    initiated: new Date(started),
  }));
  return uploadsDocument({
    bucket: config.cacheName,
    prefix,
    encodeUrl: parameters.get("encoding-type") === "url",
    maxUploads,
    keyMarker,
    uploadIdMarker,
    next: found.length > maxUploads ? listed.at(-1) : undefined,
    uploads: listed,
  });
}

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
  return { key, size, etag: s3Etag(key, etag), lastModified: uploaded };
}
