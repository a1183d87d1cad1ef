// /paths: searching the store paths of the cache, everything about one, and deleting one.
import type { Context } from "../context.ts";
import { formatCursor, parseCursor } from "./cursor.ts";
import { json } from "./json.ts";
import { countOf, parametersOf, parsed, refuseParameters, textOf, wordOf } from "./parameters.ts";

/** Of a store path's name. */
export const MAX_NAME_LENGTH = 211;
export const DEFAULT_LIMIT = 50;
export const MAX_LIMIT = 1000;

/** GET /paths: by name, newest first, page by page. */
export async function getPaths({ request, catalog }: Context): Promise<Response> {
  const parameters = parametersOf(request, ["prefix", "q", "limit", "cursor"]);
  const after = parsed(parameters, "cursor", parseCursor, "must be the 'next' of the page before");
  const { paths, next } = await catalog((c) =>
    c.listPaths({
      prefix: textOf(parameters, "prefix", MAX_NAME_LENGTH),
      search: textOf(parameters, "q", MAX_NAME_LENGTH),
      limit: countOf(parameters, "limit", MAX_LIMIT, DEFAULT_LIMIT),
      ...(after && { after }),
    }),
  );
  return json(request, { paths, ...(next && { next: formatCursor(next) }) });
}

/** GET /paths/{hash} */
export async function getPath({ request, catalog, path }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, await catalog((c) => c.pathDetail(hashOf(path))));
}

/** DELETE /paths/{hash}: refused while others refer to it, unless they are to go, too. */
export async function deletePath({ request, catalog, path }: Context): Promise<Response> {
  const withReferrers = wordOf(parametersOf(request, ["closure"]), "closure", ["referrers"]) !== undefined;
  return json(request, await catalog((c) => c.deletePath(hashOf(path), withReferrers)));
}

/** The pattern of the route has seen to it that the path ends in a hash part. */
function hashOf(path: string): string {
  return path.slice(-32);
}
