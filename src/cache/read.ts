// Reading an object: one bucket operation, and a body that goes from the bucket to the client untouched.

import { cacheControl, type Kind, NAR } from "../bucket/kinds.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import { acceptEncoding, accepts, type Coding, decodeStream, knownCoding } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";
import { evaluatePreconditions, hasPreconditions, ifRangeHolds } from "../http/preconditions.ts";
import {
  contentRange,
  parseRange,
  type RangeRequest,
  rangeNotSatisfiable,
  resolveRange,
} from "../http/ranges.ts";

/** What the bucket gave for a request. */
interface Found {
  readonly object: R2Object;
  /** Absent for HEAD, and where the range lies outside the object. */
  readonly body: ReadableStream | null;
  /** Set where `body` is (at most) this part and not the whole. */
  readonly range?: RangeRequest;
}

/** Answers GET or HEAD of the object `key`. Throws {@link HttpError} 404, 412, 416 or 503. */
export async function readObject(
  request: Request,
  bucket: R2Bucket,
  kind: Kind,
  key: string,
  isPrivate: boolean,
): Promise<Response> {
  const found = await find(request, bucket, kind, key);
  if (found === null) throw new HttpError(404, `no such ${kind.name} in this cache`);
  return respond(request, kind, found, isPrivate);
}

async function find(request: Request, bucket: R2Bucket, kind: Kind, key: string): Promise<Found | null> {
  if (request.method === "HEAD") {
    const object = await bucketOperation("head", () => bucket.head(key));
    return object && { object, body: null };
  }
  const range = parseRange(request.headers.get("Range"));
  if (range !== undefined) return findPart(request, bucket, kind, key, range);
  const object = await bucketOperation("get", () => bucket.get(key));
  return object && { object, body: object.body };
}

/**
 * Gets a part of an object in one operation. Only three rare cases take a second one: a range past the end, whose
 * answer needs the size; an If-Range that does not hold, and an object to be decoded, which get the whole.
 */
async function findPart(
  request: Request,
  bucket: R2Bucket,
  kind: Kind,
  key: string,
  range: RangeRequest,
): Promise<Found | null> {
  const part = await getPart(bucket, key, range);
  if (part === null) return null;
  const body = "body" in part ? part.body : null;
  if (ifRangeHolds(request.headers, validators(part)) && codingToUndo(request, kind, part) === undefined) {
    return { object: part, body, range };
  }
  await body?.cancel();
  const whole = await bucketOperation("get", () => bucket.get(key));
  return whole && { object: whole, body: whole.body };
}

/** A part with its body; of an object that the range lies outside only what `head` says. */
async function getPart(
  bucket: R2Bucket,
  key: string,
  range: RangeRequest,
): Promise<R2ObjectBody | R2Object | null> {
  try {
    return await bucket.get(key, { range });
  } catch (error) {
    // R2 has a code for a range that lies outside, but not for every such range: the size decides.
    const object = await bucketOperation("head", () => bucket.head(key));
    if (object !== null && resolveRange(range, object.size) !== undefined) throw bucketFailure("get", error);
    return object;
  }
}

async function respond(request: Request, kind: Kind, found: Found, isPrivate: boolean): Promise<Response> {
  const { object, body } = found;
  const undo = codingToUndo(request, kind, object);
  const current = validators(object, undo !== undefined);
  // A plain object: each access to a Headers is a call into the runtime.
  const headers: Record<string, string> = {
    "Content-Type": kind.contentType,
    "Cache-Control": cacheControl(isPrivate, kind.cacheControl),
    ETag: current.etag,
    "Last-Modified": object.uploaded.toUTCString(),
    "Accept-Ranges": undo === undefined ? "bytes" : "none",
  };
  const coding = contentEncoding(kind, object);
  if (coding !== undefined) {
    headers.Vary = "Accept-Encoding";
    // In front of the Worker that header is always the edge's own: there the answers cannot be told apart.
    headers["Cloudflare-CDN-Cache-Control"] = "no-store";
  }

  if (hasPreconditions(request.headers)) {
    const status = evaluatePreconditions(request.headers, current);
    if (status !== 200) await body?.cancel();
    if (status === 304) return new Response(null, { status, headers });
    if (status === 412)
      throw new HttpError(412, "the object is not the one that If-Match or If-Unmodified-Since names");
  }

  // Decoded while it streams: the length is not known beforehand, so there is none to announce.
  if (undo !== undefined) return new Response(body && (await decodeStream(body, undo)), { headers });

  let status = 200;
  let length = object.size;
  if (found.range !== undefined) {
    const part = resolveRange(found.range, object.size);
    if (part === undefined) {
      await body?.cancel();
      throw rangeNotSatisfiable(object.size);
    }
    status = 206;
    length = part.length;
    headers["Content-Range"] = contentRange(part, object.size);
  }
  headers["Content-Length"] = String(length);
  if (coding === undefined) return new Response(body, { status, headers });
  headers["Content-Encoding"] = coding;
  // It is stored encoded; without "manual" the runtime would encode it once more.
  return new Response(body, { status, headers, encodeBody: "manual" });
}

/** The coding that a body has on its way; never of a NAR, which has to arrive as it was hashed. */
function contentEncoding(kind: Kind, object: R2Object): string | undefined {
  const stored = object.httpMetadata?.contentEncoding;
  // Other tools store `identity` where they mean none; Nix up to 2.30 breaks on it.
  return kind === NAR || stored === "" || stored === "identity" ? undefined : stored;
}

/** The coding to undo for this client. */
function codingToUndo(request: Request, kind: Kind, object: R2Object): Coding | undefined {
  const coding = contentEncoding(kind, object);
  if (coding === undefined || accepts(acceptEncoding(request), coding)) return undefined;
  return knownCoding(coding);
}

/** A decoded body is another representation than the stored one, so its tag is weak (RFC 9110, 8.8.3.3). */
function validators(object: R2Object, decoded = false) {
  return { etag: decoded ? `W/${object.httpEtag}` : object.httpEtag, lastModified: object.uploaded };
}
