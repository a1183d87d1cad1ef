// GET /stats: what is in the cache, in numbers.
import { fromCatalog } from "../catalog/result.ts";
import type { Context } from "../routes.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

export async function getStats({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, await fromCatalog(() => catalog().stats()));
}
