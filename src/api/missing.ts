// POST /missing: which of many paths are not here. What a pusher asks before it uploads: one request, one call of
// the catalog, and no operation of the bucket.
import { collects } from "../config/retention.ts";
import type { Context } from "../context.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { HttpError } from "../http/errors.ts";
import { FormatError, quote } from "../nix/format-error.ts";
import { NIX32_CLASS } from "../nix/nix32.ts";
import { checkBaseName, parseStorePath } from "../nix/store-path.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

/** Paths in one request. */
export const MAX_PATHS = 20_000;
/** Room for that many store paths with names of the greatest length, 211 characters. */
const MAX_BODY_BYTES = 8 * 1024 * 1024;

const HASH_PART = new RegExp(`^${NIX32_CLASS}{32}$`);

export async function postMissing({ request, config, catalog, isPusher }: Context): Promise<Response> {
  refuseParameters(request);
  const paths = parseRequest(decodeUtf8(await readBody(request, MAX_BODY_BYTES)));
  // Whoever may push is about to rely on those that are here.
  const isForPush = collects(config) && (await isPusher());
  const hashes = paths.map((path, index) => hashOf(path, index, config.storeDir));
  const missing = new Set(await catalog((c) => c.missing(hashes, isForPush)));
  const answer = paths.filter((_, index) => missing.has(hashes[index] ?? ""));
  return json(request, { missing: [...new Set(answer)] });
}

/** Throws {@link HttpError} 400, or 413 for too many. */
function parseRequest(text: string): string[] {
  const { paths, ...rest } = parseObject(text);
  if (!Array.isArray(paths) || Object.keys(rest).length > 0) {
    throw new HttpError(400, 'the body must be {"paths": [...]} and nothing else');
  }
  if (paths.length > MAX_PATHS) {
    throw new HttpError(
      413,
      `${paths.length} paths are more than the ${MAX_PATHS} of one request; ask in several`,
    );
  }
  return paths;
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The parser's message would quote the body.
    throw new HttpError(400, 'the body is not JSON; it must be {"paths": [...]}');
  }
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** Reads a store path, base name or hash part, in the order of how common they are. Throws {@link HttpError} 400. */
function hashOf(path: unknown, index: number, storeDir: string): string {
  try {
    if (typeof path !== "string") throw new FormatError("is not a text");
    if (path.startsWith("/")) return parseStorePath(path, storeDir).hash;
    if (HASH_PART.test(path)) return path;
    if (path.includes("-")) return checkBaseName(path).hash;
    throw new FormatError(`${quote(path)} is neither a store path nor a base name nor a hash part`);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `paths[${index}]: ${error.message}`);
    throw error;
  }
}
