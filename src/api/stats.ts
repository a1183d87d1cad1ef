// GET /stats: what is in the cache, in numbers.
import type { Context } from "../context.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

export async function getStats({ request, catalog }: Context): Promise<Response> {
  refuseParameters(request);
  return json(request, await catalog((c) => c.stats()));
}
