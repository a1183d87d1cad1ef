// /reindex, /check and /resign: work on the whole bucket. A POST begins it, or goes on with the one under way, does one step
// and answers how far it is; the catalog does the other steps by itself, and a GET tells of them.
import type { Context } from "../context.ts";
import type { Progress } from "../contract/runs.ts";
import { HttpError } from "../http/errors.ts";
import { isKeyName } from "../nix/signature.ts";
import { json } from "./json.ts";
import { flagOf, parametersOf, parsed, refuseParameters } from "./parameters.ts";

export async function postReindex({ request, catalog }: Context): Promise<Response> {
  const restart = flagOf(parametersOf(request, ["restart"]), "restart");
  const report = await catalog((c) => c.reindex(restart === undefined ? {} : { restart }));
  return json(request, report);
}

export async function getReindex({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, someReport(await catalog((c) => c.reindexStatus()), "reindex"));
}

export async function postCheck({ request, catalog }: Context): Promise<Response> {
  const parameters = parametersOf(request, ["repair", "restart"]);
  const repair = flagOf(parameters, "repair");
  const restart = flagOf(parameters, "restart");
  // Absent is not false: asking again without `repair` goes on with a check that repairs.
  const options = { ...(repair !== undefined && { repair }), ...(restart !== undefined && { restart }) };
  return json(request, await catalog((c) => c.check(options)));
}

export async function getCheck({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, someReport(await catalog((c) => c.checkStatus()), "check"));
}

export async function postResign({ request, catalog }: Context): Promise<Response> {
  const parameters = parametersOf(request, ["drop", "restart"]);
  const drop = parsed(parameters, "drop", (text) => (isKeyName(text) ? text : undefined), "must name a key");
  const restart = flagOf(parameters, "restart");
  const options = { ...(drop !== undefined && { drop }), ...(restart !== undefined && { restart }) };
  return json(request, await catalog((c) => c.resign(options)));
}

export async function getResign({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, someReport(await catalog((c) => c.resignStatus()), "resign"));
}

function someReport<R extends Progress>(report: R | undefined, name: string): R {
  if (report === undefined) {
    throw new HttpError(404, `no ${name} has been asked for yet; begin one with POST /api/v1/${name}`);
  }
  return report;
}
