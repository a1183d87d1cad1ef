// /gc: collecting what nothing keeps. A POST begins it, or goes on with the one under way; the catalog does the rest
// by itself, and a GET tells of it.
import type { Context } from "../context.ts";
import { HttpError } from "../http/errors.ts";
import { flagIn, jsonBody } from "./body.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

const HINT = '{"dry_run": true, "force": true}, each only if wanted';

export async function postGc({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  const body = await jsonBody(request, ["dry_run", "force"], HINT);
  const options = { dryRun: flagIn(body, "dry_run"), force: flagIn(body, "force") };
  return json(request, await catalog((c) => c.gc(options)));
}

export async function getGc({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  const report = await catalog((c) => c.gcStatus());
  if (report === undefined) {
    throw new HttpError(404, "nothing has been collected yet; begin with POST /api/v1/gc");
  }
  return json(request, report);
}
