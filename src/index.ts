// The Worker's entry points: requests, the cron trigger, and the class of the catalog's Durable Object.
import { WorkerEntrypoint } from "cloudflare:workers";
import { isApi } from "./api/operations.ts";
import { type Authority, memoryOf } from "./auth/gate/authority.ts";
import { authorize } from "./auth/gate/authorize.ts";
import { identify, senderMay } from "./auth/gate/identify.ts";
import { may } from "./auth/grants.ts";
import { verifiedRequest } from "./auth/sigv4/body.ts";
import { carriesSigV4 } from "./auth/sigv4/detect.ts";
import type { Payload } from "./auth/sigv4/payload.ts";
import { bucketFolder } from "./bucket/folder.ts";
import { PRIVATE } from "./bucket/kinds.ts";
import { type AskCatalog, catalogClient } from "./catalog-client.ts";
import { type Config, configOf } from "./config/config.ts";
import { edgePaths, type Located, locate } from "./config/locate.ts";
import { collects } from "./config/retention.ts";
import type { Context, Route } from "./context.ts";
import type { EdgePurger } from "./contract/catalog.ts";
import { isOpen, openAnswer } from "./cross-origin.ts";
import type { Env } from "./env.ts";
import { isPreflightOfRead, preflightAllowed } from "./http/cors.ts";
import { refuseCrossSite } from "./http/cross-site.ts";
import { checkedRequest, declaresChecksum } from "./http/declared-checksums.ts";
import { errorResponse, logFailure } from "./http/errors.ts";
import { parsePath, type RequestPath } from "./http/path.ts";
import { problemResponse } from "./http/problem.ts";
import { matchRoute, type RouteMatch } from "./http/router.ts";
import { isPage, wantsHtml } from "./page/accepts.ts";
import { refusalPage } from "./page/refusal.ts";
import { recentNarsOf } from "./recent-nars.ts";
import { ROUTES } from "./routes.ts";
import { asPutObject } from "./s3/answer.ts";
import { isS3Client, s3ErrorResponse, unknownToS3 } from "./s3/errors.ts";
import { asRouted, requireImplemented } from "./s3/operations.ts";
import { type Counted, countRequest } from "./traffic.ts";
import { dailyOf } from "./upstream/daily.ts";
import { upstreamsOf } from "./upstream/upstreams.ts";

export { Catalog } from "./catalog/catalog.ts";

const POLICY = "Content-Security-Policy";
/** Most paths in one call of the platform's purge. */
const PURGE_BATCH = 100;

export default class NixCache extends WorkerEntrypoint<Env> implements EdgePurger {
  override fetch(request: Request): Promise<Response> {
    return handle(request, this.env, this.ctx);
  }

  /** The daily cron trigger: begins a collection of each cache that collects; the catalog's alarms go on with it. */
  override async scheduled(): Promise<void> {
    const deployment = configOf(this.env);
    for (const { cacheName } of [deployment, ...deployment.named.values()].filter(collects)) {
      await logFailure(`the collection of ${cacheName} did not begin`, collect(this.env, cacheName));
    }
  }

  /** Drops paths from the edge's cache, which only this entrypoint can. Called by the catalog. */
  purgeEdge(paths: readonly string[]): Promise<void> {
    return purge(this.ctx, paths);
  }
}

async function collect(env: Env, cacheName: string): Promise<void> {
  const report = await catalogClient(env, cacheName)((c) => c.gc({}));
  console.log(`collection of ${cacheName}: ${JSON.stringify(report)}`);
}

/**
 * Always one purge call (limit: five a minute). Above {@link PURGE_BATCH} paths, purges everything. A failure is
 * logged and fails no write: the edge serves the older object until its max-age.
 */
async function purge(ctx: ExecutionContext, paths: readonly string[]): Promise<void> {
  if (paths.length === 0 || ctx.cache === undefined) return;
  const what = paths.length > PURGE_BATCH ? { purgeEverything: true } : { pathPrefixes: [...paths] };
  await logFailure(`the edge did not drop ${paths.length} paths`, ctx.cache.purge(what));
}

/** Answers any request; never throws. */
export async function handle(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
  const deployment = configOf(env);
  let located: Located | undefined;
  let route: Route | undefined;
  let response: Response;
  try {
    located = locate(deployment, parsePath(request.url));
    refuseCrossSite(request);
    const preflighted = request.method === "OPTIONS" ? preflightedRoute(request, located) : undefined;
    if (preflighted !== undefined) {
      route = preflighted;
      response = preflightAllowed();
    } else {
      const routed = findRoute(request, located.path);
      ({ route } = routed);
      response = await answer(request, env, ctx, located, routed);
    }
  } catch (error) {
    response = await refusal(request, located?.path.path ?? refusedPath(request), error);
  }
  const { status, headers } = response;
  headers.set("X-Content-Type-Options", "nosniff");
  const { isPrivate } = located?.config ?? deployment;
  // Refusals, too: the edge's cache checks no token, and a browser sends the one of its user for what other sites embed.
  if (isPrivate) {
    headers.set("Cache-Control", PRIVATE);
    headers.set("Cross-Origin-Resource-Policy", "same-origin");
  }
  if (!isPrivate && located && route) openAnswer(route, located.config, request, status, headers);
  if (env.TRAFFIC !== undefined) {
    const counted = { request, response, located };
    ctx.waitUntil(logFailure("a request was not counted", count(env, env.TRAFFIC, counted)));
  }
  return response;
}

/** The route that scripts of other sites may read and ask for leave to. */
function preflightedRoute({ headers }: Request, { path, config }: Located): Route | undefined {
  if (!isPreflightOfRead(headers)) return undefined;
  const { route } = matchRoute(ROUTES, "GET", path);
  return isOpen(route, config) ? route : undefined;
}

async function count(env: Env, traffic: AnalyticsEngineDataset, counted: Counted): Promise<void> {
  const { request, located } = counted;
  let isPusher = false;
  if (located !== undefined) {
    const tokens = catalogClient(env, located.config.defaultName);
    isPusher = await senderMay(request, authorityOf(env, located.config, tokens), "push");
  }
  countRequest(traffic, counted, isPusher);
}

function authorityOf(env: Env, config: Config, tokens: AskCatalog): Authority {
  return {
    config,
    memory: memoryOf(env),
    askRevoked: (credential, known) => tokens((c) => c.revokedTokens(credential, known)),
  };
}

async function answer(
  request: Request,
  env: Env,
  ctx: ExecutionContext,
  { config }: Located,
  { route, groups, query }: Routed,
): Promise<Response> {
  const tokens = catalogClient(env, config.defaultName);
  const authority = authorityOf(env, config, tokens);
  const { identity, payload } = await authorize(request, route.permission, authority);
  const afterwards: Context["afterwards"] = (work) =>
    ctx.waitUntil(logFailure("work after a response failed", work));
  const context: Context = {
    request,
    bucket: bucketFolder(env.BUCKET, config.folder),
    config,
    catalog: catalogClient(env, config.cacheName),
    tokens,
    identity,
    identify: () => identify(request, authority),
    // A public read passes the gate unidentified.
    isPusher: async () =>
      identity.credential === "none"
        ? senderMay(request, authority, "push")
        : may(identity, "push", config.cacheName),
    mayRead: (cacheName) => senderMay(request, authority, "pull", cacheName),
    upstreams: upstreamsOf(env, config, afterwards),
    daily: dailyOf(env),
    recentNars: recentNarsOf(env),
    afterwards,
    purge: (paths) => ctx.waitUntil(purge(ctx, edgePaths(config, paths))),
    path: groups[0].slice(1),
    query,
  };
  return answerChecked(route, context, payload);
}

interface Routed extends RouteMatch<Route> {
  readonly query: RequestPath["query"];
}

/** The route of a request. A signed one must be an operation of S3 that is implemented. */
function findRoute(request: Request, path: RequestPath): Routed {
  const { method } = request;
  if (isApi(path.path)) return { ...matchRoute(ROUTES, method, path), query: path.query };
  const routed = asRouted(request, path);
  const { query } = routed;
  if (!carriesSigV4(request)) return { ...matchRoute(ROUTES, method, path), query };
  let match: RouteMatch<Route> | undefined;
  let refusal: unknown;
  try {
    match = matchRoute(ROUTES, method, routed);
  } catch (error) {
    refusal = parsePath(request.url).path === path.path ? unknownToS3(error, path.path) : error;
    if (refusal !== error) throw refusal;
  }
  requireImplemented(request, path);
  if (match === undefined) throw refusal;
  return { ...match, query };
}

/** Answers a request whose body must match its signature, if it is signed, and the checksums that its headers declare. */
async function answerChecked(
  route: Route,
  context: Context,
  payload: Payload | undefined,
): Promise<Response> {
  const { request, path } = context;
  const bucketSha256 = route.bodySha256?.(path, request);
  const signed = payload && verifiedRequest(request, payload, bucketSha256);
  const checked = checkedRequest(signed?.request ?? request, bucketSha256);
  const failure = () => signed?.failure() ?? checked.failure();
  try {
    const response = await route.handler({ ...context, request: checked.request });
    if (declaresChecksum(request)) await drain(checked.request);
    const failed = failure();
    if (failed !== undefined) throw failed;
    return signed === undefined ? response : asPutObject(request, response);
  } catch (error) {
    throw failure() ?? error;
  }
}

/** Reads a body that the handler did not need, such as that of a NAR that is here: its checksum is compared, too. */
async function drain({ body, bodyUsed }: Request): Promise<void> {
  if (body !== null && !bodyUsed) await body.pipeTo(new WritableStream());
}

/**
 * Of a path that parsePath has refused the URL parser's reading decides the form of the refusal: the API of a named cache
 * is an API, too.
 */
function refusedPath({ url }: Request): string {
  return new URL(url).pathname.replace(/^\/[a-z0-9-]+(?=\/api\/)/, "");
}

/** A refusal in the form that the client reads: a problem, S3's document, a page, or a line of text. */
async function refusal(request: Request, path: string, error: unknown): Promise<Response> {
  const response = isApi(path)
    ? problemResponse(error)
    : isS3Client(request)
      ? s3ErrorResponse(error, path)
      : (isPage(path) || path === "/") && wantsHtml(request)
        ? await refusalPage(error)
        : errorResponse(error);
  if (isPage(path) && !response.headers.has(POLICY))
    response.headers.set(POLICY, "sandbox; default-src 'none'");
  return request.method === "HEAD" ? new Response(null, response) : response;
}
