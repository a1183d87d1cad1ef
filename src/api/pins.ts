// /pins: names for paths that must stay, such as what is deployed. Each keeps revisions.
import type { Context } from "../context.ts";
import type { PinRequest } from "../contract/pins.ts";
import { HttpError } from "../http/errors.ts";
import { FormatError } from "../nix/format-error.ts";
import { parseStorePath, type StorePath } from "../nix/store-path.ts";
import { jsonBody, numberIn } from "./body.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

export const MAX_KEEP_REVISIONS = 1000;
/** A hundred years. */
export const MAX_KEEP_DAYS = 36_500;
const HINT =
  '{"store_path": "/nix/store/...", "keep_revisions": N, "keep_days": N}, the numbers only if wanted';

/** GET /pins */
export async function getPins({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, { pins: await catalog((c) => c.listPins()) });
}

/** GET /pins/{name}: its newest store path, and the others that it keeps. */
export async function getPin({ request, catalog, path }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, await catalog((c) => c.getPin(nameOf(path))));
}

/** PUT /pins/{name}: a new revision, unless the newest is of the same path. */
export async function putPin({ request, config, catalog, path, identity }: Context): Promise<Response> {
  refuseParameters(request);
  const body = await jsonBody(request, ["store_path", "keep_revisions", "keep_days"], HINT);
  const { hash, name } = storePathIn(body.store_path, config.storeDir);
  const keepRevisions = numberIn(body, "keep_revisions", MAX_KEEP_REVISIONS);
  const keepDays = numberIn(body, "keep_days", MAX_KEEP_DAYS);
  const pin: PinRequest = {
    hash,
    name,
    ...(keepRevisions !== undefined && { keepRevisions }),
    ...(keepDays !== undefined && { keepDays }),
  };
  return json(request, await catalog((c) => c.putPin(nameOf(path), pin, identity.name)));
}

/** DELETE /pins/{name}: all of its revisions. */
export async function deletePin({ request, catalog, path }: Context): Promise<Response> {
  refuseParameters(request);
  await catalog((c) => c.deletePin(nameOf(path)));
  return json(request, { deleted: nameOf(path) });
}

function storePathIn(value: unknown, storeDir: string): StorePath {
  try {
    if (typeof value !== "string") throw new FormatError(`is missing; the body must be ${HINT}`);
    return parseStorePath(value, storeDir);
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `'store_path' ${error.message}`);
    throw error;
  }
}

/** The pattern of the route has seen to it that the path ends in a name. */
function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
