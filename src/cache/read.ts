// Reading an object: one bucket operation, rarely two; the body streams from the bucket to the client. S3 clients, known by their
// signature, get what the bucket has and their listing says: nothing is decoded for them.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { cacheControl, type Kind, keyOf, NAR } from "../bucket/kinds.ts";
import { bucketFailure, bucketOperation } from "../bucket/operation.ts";
import { s3Etag } from "../bucket/s3-etag.ts";
import type { Context, Handler } from "../context.ts";
import { acceptEncoding, accepts, type Coding, knownCoding } from "../http/encodings.ts";
import { HttpError } from "../http/errors.ts";
import { evaluatePreconditions, hasPreconditions, ifRangeHolds } from "../http/preconditions.ts";
import {
  contentRange,
  parseRange,
  type RangeRequest,
  rangeNotSatisfiable,
  resolveRange,
} from "../http/ranges.ts";
import { chosenHeaders } from "./chosen-headers.ts";
import { decodedBody } from "./decoded.ts";
import type { Touch } from "./touch.ts";

/**
 * Of types that Cloudflare's edge compresses, or encodes anew where the client accepts another coding: then the answer
 * has no length, and S3 clients find another size than in their listing. It leaves {@link BYTES} alone.
 * https://developers.cloudflare.com/speed/optimization/content/compression/
 */
const COMPRESSED_BY_EDGE = /^(?:text\/plain|application\/json)\b/;
const BYTES = "application/octet-stream";

/** The bucket's answer to a request. */
interface Found {
  readonly object: R2Object;
  /** Absent for HEAD, and if the range lies outside the object. */
  readonly body: ReadableStream | null;
  /** Set if `body` is only this part of the object. */
  readonly range?: RangeRequest;
}

/** Answers GET or HEAD of an object. Throws {@link HttpError} 404, 406, 412, 416 or 503. */
export function readObject(kind: Kind, touch?: Touch): Handler {
  return async (context) => {
    const { request, bucket, path } = context;
    const chosen = await chosenHeaders(context);
    const look = () => find(request, bucket, kind, keyOf(kind, path));
    let found = await look();
    if (found !== null && touch !== undefined && !(await touch(context, found.object))) {
      await found.body?.cancel();
      found = await look();
    }
    if (found === null) throw new HttpError(404, `no such ${kind.name} in this cache`);
    return respond(context, kind, found, chosen);
  };
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
 * Gets a part of an object in one operation. Three rare cases take a second operation: a range past the end needs the
 * size; a failed If-Range and an object to be decoded need the whole object.
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
  if (
    ifRangeHolds(request.headers, validators(request, part)) &&
    codingToDecode(request, kind, part) === undefined
  ) {
    return { object: part, body, range };
  }
  await body?.cancel();
  const whole = await bucketOperation("get", () => bucket.get(key));
  return whole && { object: whole, body: whole.body };
}

/** A part with its body; without one if the range lies outside the object. */
async function getPart(
  bucket: R2Bucket,
  key: string,
  range: RangeRequest,
): Promise<R2ObjectBody | R2Object | null> {
  try {
    return await bucket.get(key, { range });
  } catch (error) {
    // R2 has an error code for some ranges outside the object only: compare with the size.
    const object = await bucketOperation("head", () => bucket.head(key));
    if (object !== null && resolveRange(range, object.size) !== undefined) throw bucketFailure("get", error);
    return object;
  }
}

async function respond(
  context: Context,
  kind: Kind,
  found: Found,
  chosen: Readonly<Record<string, string>>,
): Promise<Response> {
  const { request, config } = context;
  const { object, body } = found;
  const undo = codingToDecode(request, kind, object);
  const current = validators(request, object, undo !== undefined);
  // A plain object: each access to a Headers is a call into the runtime.
  const headers: Record<string, string> = {
    "Content-Type": kind.contentType,
    "Cache-Control": cacheControl(config.isPrivate, kind.cacheControl),
    ETag: current.etag,
    "Last-Modified": object.uploaded.toUTCString(),
    "Accept-Ranges": undo === undefined ? "bytes" : "none",
  };
  const coding = contentEncoding(kind, object);
  if (coding !== undefined) {
    headers.Vary = "Accept-Encoding";
    // The edge rewrites Accept-Encoding, so its cache cannot distinguish the variants. Keep it from storing either.
    headers["Cloudflare-CDN-Cache-Control"] = "no-store";
  }
  if (carriesSigV4(request)) {
    if (coding !== undefined) headers.Vary = "Accept-Encoding, Authorization";
    if (COMPRESSED_BY_EDGE.test(kind.contentType)) {
      headers["Content-Type"] = BYTES;
      // It is for this client alone.
      headers["Cloudflare-CDN-Cache-Control"] = "no-store";
    }
  }

  if (hasPreconditions(request.headers)) {
    const status = evaluatePreconditions(request.headers, current);
    if (status !== 200) await body?.cancel();
    if (status === 304) return new Response(null, { status, headers });
    if (status === 412)
      throw new HttpError(412, "the object is not the one that If-Match or If-Unmodified-Since names");
  }

  if (undo !== undefined)
    return new Response(body && (await decodedBody(context, kind, body, undo)), { headers });

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
  if (coding !== undefined) headers["Content-Encoding"] = coding;
  Object.assign(headers, chosen);
  if (headers["Content-Encoding"] === undefined) return new Response(body, { status, headers });
  // Already encoded: without "manual" the runtime would encode the body again.
  return new Response(body, { status, headers, encodeBody: "manual" });
}

/** The Content-Encoding to send. A NAR has none: it must arrive as it was hashed. */
function contentEncoding(kind: Kind, object: R2Object): string | undefined {
  const stored = object.httpMetadata?.contentEncoding;
  // Other tools store `identity` for none; Nix up to 2.30 fails on it.
  return kind === NAR || stored === "" || stored === "identity" ? undefined : stored;
}

/** The coding of an object that this client does not accept, so that it must be decoded. */
function codingToDecode(request: Request, kind: Kind, object: R2Object): Coding | undefined {
  if (carriesSigV4(request)) return undefined;
  const coding = contentEncoding(kind, object);
  if (coding === undefined || accepts(acceptEncoding(request), coding)) return undefined;
  return knownCoding(coding);
}

/** The ETag of a decoded body is weak, as it is not the stored representation (RFC 9110, section 8.8.3.3). */
function validators(request: Request, { key, etag, httpEtag, uploaded }: R2Object, decoded = false) {
  if (carriesSigV4(request)) return { etag: `"${s3Etag(key, etag)}"`, lastModified: uploaded };
  return { etag: decoded ? `W/${httpEtag}` : httpEtag, lastModified: uploaded };
}
