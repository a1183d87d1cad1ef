// Parses the path of a request, from the URL as it was sent, decoded exactly once.
import { HttpError } from "./errors.ts";

/** R2's keys have at most 1024 bytes. */
const MAX_PATH_LENGTH = 1024;
/** Characters: the longest path of Linux. Pages name files of store paths. */
const MAX_PAGE_PATH_LENGTH = 4096;
/** Characters, with room for a token in a pre-signed URL. Cloudflare's own limit is 16 KB for the URL. */
const MAX_QUERY_LENGTH = 32 * 1024;
/** The last segment below these is a name with any characters: slashes are sent encoded, or as they are. */
const NAMES = /^(?:\/[a-z0-9-]+)?\/api\/v1\/(?:paths|subjects)\/(?=.)/;
/** Pages, whose paths name files: any characters, and for a directory a slash at the end. */
const PAGES = /^(?:\/[a-z0-9-]+)?\/_\//;
/** Matches the folder of a cache: only such a path, besides those of pages, may end in a slash. */
const FOLDER = /^\/[a-z0-9-]+\/$/;

export interface RequestPath {
  /**
   * The decoded path, beginning with `/`. Printable ASCII, no empty, `.` or `..` segment, no backslash. That of a page may
   * end in a slash and have any characters of file names, line feeds among them.
   */
  readonly path: string;
  /**
   * Path and query as one path, if there is a query and they form a valid path. `?` is legal in store path names, and
   * every Nix version sends it raw in `log/<drv>`, so that part of the name arrives as a query.
   */
  readonly pathWithQuery?: string;
  /** As it was sent, without its `?`; empty if there is none. */
  readonly query: string;
}

/**
 * Does not use the URL parser, which keeps `%2f` and `%00` and resolves `..`. Throws {@link HttpError} 400 or 414 for
 * a path that no object can have.
 */
export function parsePath(url: string): RequestPath {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const target = start < 0 ? "/" : url.slice(start);
  const query = target.indexOf("?");
  if (query < 0) return { path: decodePath(target), query: "" };
  if (target.length - query > MAX_QUERY_LENGTH) {
    throw new HttpError(414, `the query is longer than ${MAX_QUERY_LENGTH} characters`);
  }
  const path = decodePath(target.slice(0, query));
  const pathWithQuery = decodeName(target);
  return { path, query: target.slice(query + 1), ...(pathWithQuery !== undefined && { pathWithQuery }) };
}

/**
 * The path below a folder of the server, such as that of a cache (`/nix-cache/nar/...`); `undefined` for one outside.
 * The folder itself, with or without its final slash, is `/`.
 */
export function pathBelow(
  folder: string,
  { path, pathWithQuery, query }: RequestPath,
): RequestPath | undefined {
  const start = `/${folder}`;
  if (path === start || path === `${start}/`) return { path: "/", query };
  if (!path.startsWith(`${start}/`)) return undefined;
  const whole = pathWithQuery?.slice(start.length);
  return { path: path.slice(start.length), query, ...(whole !== undefined && { pathWithQuery: whole }) };
}

/** Path and query as one path; `undefined` if that is not valid. */
function decodeName(target: string): string | undefined {
  try {
    return decodePath(target);
  } catch (error) {
    // An invalid query is not refused.
    if (error instanceof HttpError) return undefined;
    throw error;
  }
}

function decodePath(raw: string): string {
  if (PAGES.test(raw)) return decodePagePath(raw);
  if (raw.length > 3 * MAX_PATH_LENGTH) throw tooLong();
  const isName = NAMES.test(raw);
  const path = raw.includes("%") ? percentDecode(raw, isName) : raw;
  if (path.length > MAX_PATH_LENGTH) throw tooLong();
  if (!/^[\x20-\x7e]*$/.test(path) || (path.includes("\\") && !isName)) {
    throw new HttpError(400, "the path has a character that no object of a binary cache has");
  }
  if (path !== "/" && !isName && /\/(\.{0,2})(\/|$)/.test(path) && !FOLDER.test(path)) {
    throw new HttpError(400, "the path has an empty, '.' or '..' segment");
  }
  return path;
}

function decodePagePath(raw: string): string {
  if (raw.length > 3 * MAX_PAGE_PATH_LENGTH) throw tooLong(MAX_PAGE_PATH_LENGTH);
  const path = percentDecode(raw, false);
  if (path.length > MAX_PAGE_PATH_LENGTH) throw tooLong(MAX_PAGE_PATH_LENGTH);
  if (path.includes("\0")) throw new HttpError(400, "the path has a zero byte");
  if (/\/(?:\/|\.{1,2}(?:\/|$))/.test(path)) {
    throw new HttpError(400, "the path has an empty, '.' or '..' segment");
  }
  return path;
}

function percentDecode(raw: string, isName: boolean): string {
  // An encoded slash would split a segment after it has been checked.
  if (!isName && /%2f/i.test(raw))
    throw new HttpError(400, "the path has an encoded slash; send '/' as it is");
  try {
    return decodeURIComponent(raw);
  } catch {
    // A malformed escape, or bytes that are not UTF-8.
    throw new HttpError(400, "the path has a malformed percent-encoding");
  }
}

function tooLong(limit = MAX_PATH_LENGTH): HttpError {
  return new HttpError(414, `the path is longer than ${limit} characters`);
}
