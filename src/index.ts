// The Worker: one request in, one response out. And the Durable Object that it keeps its catalog in.
import { WorkerEntrypoint } from "cloudflare:workers";
import { isApi } from "./api/operations.ts";
import { authorize } from "./auth/gate/authorize.ts";
import { type Authority, identify, mayPush } from "./auth/gate/identify.ts";
import { may } from "./auth/grants.ts";
import { verifiedRequest } from "./auth/sigv4/body.ts";
import { bucketFolder } from "./bucket/folder.ts";
import { PRIVATE } from "./bucket/kinds.ts";
import { catalogClient } from "./catalog-client.ts";
import { configOf } from "./config/config.ts";
import { edgePaths, type Located, locate } from "./config/locate.ts";
import { collects } from "./config/retention.ts";
import type { Context } from "./context.ts";
import type { EdgePurger } from "./contract/catalog.ts";
import type { Env } from "./env.ts";
import { errorResponse, HttpError } from "./http/errors.ts";
import { parsePath } from "./http/path.ts";
import { problemResponse } from "./http/problem.ts";
import { matchRoute } from "./http/router.ts";
import { ROUTES } from "./routes.ts";
import { withoutText } from "./s3/answer.ts";
import { isS3Client, s3ErrorResponse } from "./s3/errors.ts";

export { Catalog } from "./catalog/catalog.ts";

/** Items that one call of the platform's purge takes. */
const PURGE_BATCH = 100;

export default class NixCache extends WorkerEntrypoint<Env> implements EdgePurger {
  override fetch(request: Request): Promise<Response> {
    return handle(request, this.env, this.ctx);
  }

  /** The daily cron trigger: collects what nothing keeps. Most of it is done by the catalog's alarms. */
  override async scheduled(): Promise<void> {
    const deployment = configOf(this.env);
    for (const cache of [deployment, ...deployment.named.values()].filter(collects)) {
      const { cacheName } = cache;
      // One that fails does not stop the others.
      await logged(
        catalogClient(
          this.env,
          cacheName,
        )((c) => c.gc({})).then((report) =>
          console.log(`collection of ${cacheName}: ${JSON.stringify(report)}`),
        ),
      );
    }
  }

  /** Drops paths from the cache in front of this entrypoint; only it can. The catalog calls it. */
  purgeEdge(paths: readonly string[]): Promise<void> {
    return purge(this.ctx, paths);
  }
}

/**
 * What the edge still holds is only older, and its max-age ends it: a purge that fails is logged and no reason to
 * fail a write. One call in any case, because the platform takes five a minute: what is too much for one is all.
 */
async function purge(ctx: ExecutionContext, paths: readonly string[]): Promise<void> {
  if (paths.length === 0) return;
  try {
    await ctx.cache?.purge(
      paths.length > PURGE_BATCH ? { purgeEverything: true } : { pathPrefixes: [...paths] },
    );
  } catch (error) {
    console.warn(`the cache in front did not drop ${paths.length} paths`, error);
  }
}

/** Answers any request; never throws. */
export async function handle(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  const deployment = configOf(env);
  let located: Located | undefined;
  let response: Response;
  try {
    located = locate(deployment, parsePath(request.url));
    response = await answer(request, env, ctx, located);
  } catch (error) {
    // Where the path cannot be read, the URL parser's idea of it says at least which form of refusal is asked for.
    response = refusal(request, located?.path.path ?? new URL(request.url).pathname, error);
    if (request.method === "HEAD") response = new Response(null, response);
  }
  const { isPrivate } = located?.config ?? deployment;
  // Whatever it is, a refusal included: the cache in front asks for no token.
  if (isPrivate) response.headers.set("Cache-Control", PRIVATE);
  return response;
}

async function answer(
  request: Request,
  env: Env,
  ctx: ExecutionContext,
  { config, path }: Located,
): Promise<Response> {
  const { route, groups } = matchRoute(ROUTES, request.method, path);
  refuseCrossSite(request);
  const tokens = catalogClient(env, config.defaultName);
  const authority: Authority = {
    config,
    revokedIds: async () => new Set(await tokens((c) => c.revokedTokens())),
  };
  const { identity, payload } = await authorize(request, route.permission, authority);
  const key = groups[0].slice(1);
  const context: Context = {
    request,
    bucket: bucketFolder(env.BUCKET, config.folder),
    config,
    catalog: catalogClient(env, config.cacheName),
    tokens,
    identity,
    identify: () => identify(request, authority),
    // The gate may have asked already; a public read it lets pass unasked.
    isPusher: async () =>
      identity.credential === "none" ? mayPush(request, authority) : may(identity, "push", config.cacheName),
    afterwards: (work) => ctx.waitUntil(logged(work)),
    purge: (paths) => ctx.waitUntil(purge(ctx, edgePaths(config, paths))),
    path: key,
    query: path.query,
  };
  if (payload === undefined) return route.handler(context);
  const verified = verifiedRequest(request, payload, route.bodySha256?.(key));
  try {
    return withoutText(request, await route.handler({ ...context, request: verified.request }));
  } catch (error) {
    throw verified.failure() ?? error;
  }
}

/** A browser sends the password that it remembers with a form of any site, too: such a form must change nothing. */
function refuseCrossSite({ method, headers }: Request): void {
  if (method === "GET" || method === "HEAD" || headers.get("Sec-Fetch-Site") !== "cross-site") return;
  throw new HttpError(403, "another site's page has sent this request; changes are made from none");
}

/** In the form that this client reads. */
function refusal(request: Request, path: string, error: unknown): Response {
  if (isApi(path)) return problemResponse(error);
  return isS3Client(request) ? s3ErrorResponse(error, path) : errorResponse(error);
}

async function logged(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    // Its client has been answered already; the operator can see it.
    console.warn("work that nobody waits for failed", error);
  }
}
