// A cache's description of itself: /nix-cache-info, the front page and /health.
import { carriesSigV4 } from "../auth/sigv4/detect.ts";
import { cacheControl } from "../bucket/kinds.ts";
import type { Config } from "../config/config.ts";
import type { Handler } from "../context.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { HttpError, textLine } from "../http/errors.ts";
import { allowsWrite, evaluatePreconditions, ifRangeHolds, writeCondition } from "../http/preconditions.ts";
import { contentRange, parseRange, rangeNotSatisfiable, resolveRange } from "../http/ranges.ts";
import { REGION, REGION_HEADER } from "../http/s3-region.ts";
import { type CacheInfo, formatCacheInfo, parseCacheInfo } from "../nix/cache-info.ts";
import { FormatError } from "../nix/format-error.ts";

const MAX_CACHE_INFO_BYTES = 4096;

/**
 * Answers GET of `/nix-cache-info` from the configuration. Always sends a Priority, because Nix takes an absent one
 * for 0.
 */
export const getCacheInfo: Handler = ({ request, config }) =>
  textDocument(request, cacheInfoText(config), "text/x-nix-cache-info", {
    "Cache-Control": cacheControl(config.isPrivate),
  });

/**
 * Answers GET of `/` with the same as text. Vary: signed requests get S3's list of buckets, and browsers a page.
 */
export const getFrontPage: Handler = ({ request, config }) =>
  textDocument(request, cacheInfoText(config), "text/plain; charset=utf-8", {
    "Cache-Control": cacheControl(config.isPrivate),
    Vary: "Accept, Authorization",
    // S3 clients ask for it without a signature, by HeadBucket.
    [REGION_HEADER]: REGION,
  });

/**
 * Answers PUT of `/nix-cache-info`, which Nix sends when it opens a store that has none. Stores nothing. Throws
 * {@link HttpError} 409 if it contradicts the configuration.
 */
export const putCacheInfo: Handler = async ({ request, config }) => {
  const text = decodeUtf8(await readBody(request, MAX_CACHE_INFO_BYTES));
  let sent: Partial<CacheInfo>;
  try {
    sent = parseCacheInfo(text);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `nix-cache-info: ${error.message}`);
    throw error;
  }
  if (sent.storeDir !== undefined && sent.storeDir !== config.storeDir) {
    throw new HttpError(
      409,
      `nix-cache-info: this cache has StoreDir ${config.storeDir}, set by STORE_DIR, not ${sent.storeDir}`,
    );
  }
  if (sent.priority !== undefined && sent.priority !== config.priority) {
    throw new HttpError(
      409,
      `nix-cache-info: this cache has Priority ${config.priority}; change PRIORITY in its configuration`,
    );
  }
  const etag = await etagOf(request, cacheInfoText(config));
  const condition = writeCondition(request.headers);
  if (condition !== undefined && !allowsWrite(condition, { etag })) {
    throw new HttpError(412, "nix-cache-info follows from the configuration and is always here");
  }
  return textLine(200, "nix-cache-info agrees with the configuration", { ETag: etag });
};

/** The text of `/nix-cache-info`. */
export function cacheInfoText(config: Config): string {
  return formatCacheInfo(cacheInfo(config));
}

/** With quotes; to S3 clients with a `-`, lest they take it for an MD5. */
async function etagOf(request: Request, text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return `"${digest.toHex().slice(0, 32)}${carriesSigV4(request) ? "-1" : ""}"`;
}

function cacheInfo(config: Config): CacheInfo {
  return { storeDir: config.storeDir, wantMassQuery: true, priority: config.priority };
}

/** Applies conditions and ranges to a small text, as to an object of the bucket. */
async function textDocument(
  request: Request,
  text: string,
  contentType: string,
  more: Record<string, string>,
): Promise<Response> {
  const bytes = new TextEncoder().encode(text);
  // It has no date of its own.
  const current = { etag: await etagOf(request, text) };
  const headers = new Headers({
    "Content-Type": contentType,
    ETag: current.etag,
    "Accept-Ranges": "bytes",
    ...more,
  });
  const status = evaluatePreconditions(request.headers, current);
  if (status === 304) return new Response(null, { status, headers });
  if (status === 412) throw new HttpError(412, "the document is not the one that If-Match names");

  const isHead = request.method === "HEAD";
  const range = isHead ? undefined : parseRange(request.headers.get("Range"));
  if (range === undefined || !ifRangeHolds(request.headers, current)) {
    headers.set("Content-Length", String(bytes.byteLength));
    return new Response(isHead ? null : bytes, { headers });
  }
  const part = resolveRange(range, bytes.byteLength);
  if (part === undefined) throw rangeNotSatisfiable(bytes.byteLength);
  headers.set("Content-Length", String(part.length));
  headers.set("Content-Range", contentRange(part, bytes.byteLength));
  return new Response(bytes.subarray(part.offset, part.offset + part.length), { status: 206, headers });
}
