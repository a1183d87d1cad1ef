// The Worker: one request in, one response out. And the Durable Object that it keeps its catalog in.
import { WorkerEntrypoint } from "cloudflare:workers";
import { isApi } from "./api/routes.ts";
import { authorize } from "./auth/authorize.ts";
import { PRIVATE } from "./cache/kinds.ts";
import type { EdgePurger } from "./catalog/catalog.ts";
import { fromCatalog } from "./catalog/result.ts";
import { type Config, configOf, type Env } from "./config.ts";
import { errorResponse } from "./http/errors.ts";
import { parsePath } from "./http/path.ts";
import { problemResponse } from "./http/problem.ts";
import { matchRoute } from "./http/router.ts";
import { ROUTES } from "./routes.ts";

export { Catalog } from "./catalog/catalog.ts";

/** Items that one call of the platform's purge takes. */
const PURGE_BATCH = 100;

export default class NixCache extends WorkerEntrypoint<Env> implements EdgePurger {
  override fetch(request: Request): Promise<Response> {
    return handle(request, this.env, this.ctx);
  }

  /** The daily cron trigger: collects what nothing keeps. Most of it is done by the catalog's alarms. */
  override async scheduled(): Promise<void> {
    const { cacheName } = configOf(this.env);
    const report = await fromCatalog(() => this.env.CATALOG.getByName(cacheName).gc({}));
    console.log(`collection: ${JSON.stringify(report)}`);
  }

  /** Drops paths from the cache in front of this entrypoint; only it can. The catalog calls it. */
  purgeEdge(paths: readonly string[]): Promise<void> {
    return purge(this.ctx, paths);
  }
}

/**
 * What the edge still holds is only older, and its max-age ends it: a purge that fails is logged and no reason to
 * fail a write.
 */
async function purge(ctx: ExecutionContext, paths: readonly string[]): Promise<void> {
  try {
    for (let start = 0; start < paths.length; start += PURGE_BATCH) {
      await ctx.cache?.purge({ pathPrefixes: paths.slice(start, start + PURGE_BATCH) });
    }
  } catch (error) {
    console.warn(`the cache in front did not drop ${paths.length} paths`, error);
  }
}

/** Answers any request; never throws. */
export async function handle(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  const config = configOf(env);
  const response = await answer(request, env, ctx, config);
  // Whatever it is, a refusal included: the cache in front asks for no token.
  if (config.isPrivate) response.headers.set("Cache-Control", PRIVATE);
  return response;
}

async function answer(request: Request, env: Env, ctx: ExecutionContext, config: Config): Promise<Response> {
  try {
    const { route, groups } = matchRoute(ROUTES, request.method, parsePath(request.url));
    const identity = await authorize(request, route.permission, config);
    return await route.handler({
      request,
      bucket: env.BUCKET,
      config,
      catalog: () => env.CATALOG.getByName(config.cacheName),
      identity,
      afterwards: (work) => ctx.waitUntil(logged(work)),
      purge: (paths) => ctx.waitUntil(purge(ctx, paths)),
      path: groups[0].slice(1),
    });
  } catch (error) {
    const response = isApi(request.url) ? problemResponse(error) : errorResponse(error);
    return request.method === "HEAD" ? new Response(null, response) : response;
  }
}

async function logged(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    // Its client has been answered already; the operator can see it.
    console.warn("work after the response failed", error);
  }
}
