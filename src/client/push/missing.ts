// Which paths the cache needs: one question for all of them.
import { Failure } from "../ground/failure.ts";
import type { Cache } from "../http/api.ts";

/** The limits of the cache for one question, with a token and without. */
const MAX_PATHS = 20_000;
const MAX_PATHS_WITHOUT_TOKEN = 1000;

/** Those that are neither in the cache nor, for a pusher, in one of its upstreams. Throws {@link Failure}. */
export async function missingOf(cache: Cache, paths: readonly string[]): Promise<Set<string>> {
  const most = cache.settings.token === undefined ? MAX_PATHS_WITHOUT_TOKEN : MAX_PATHS;
  const missing = new Set<string>();
  for (let at = 0; at < paths.length; at += most) {
    const some = paths.slice(at, at + most);
    const answer = await cache.call<{ missing?: unknown }>("POST", "/missing", { paths: some });
    if (!Array.isArray(answer.missing)) throw new Failure("network", "the cache did not say what is missing");
    for (const path of answer.missing) missing.add(String(path));
  }
  return missing;
}
