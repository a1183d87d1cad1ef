// The Worker: one request in, one response out.
import { authorize } from "./auth/authorize.ts";
import { configOf, type Env } from "./config.ts";
import { errorResponse } from "./http/errors.ts";
import { parsePath } from "./http/path.ts";
import { matchRoute } from "./http/router.ts";
import { ROUTES } from "./routes.ts";

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    try {
      const config = configOf(env);
      const { route, groups } = matchRoute(ROUTES, request.method, parsePath(request.url));
      await authorize(request, route.permission, config);
      const purge = (path: string) => ctx.waitUntil(purgeEdge(ctx, path));
      return await route.handler({ request, bucket: env.BUCKET, config, path: groups[0].slice(1), purge });
    } catch (error) {
      const response = errorResponse(error);
      return request.method === "HEAD" ? new Response(null, response) : response;
    }
  },
} satisfies ExportedHandler<Env>;

async function purgeEdge(ctx: ExecutionContext, path: string): Promise<void> {
  try {
    await ctx.cache?.purge({ pathPrefixes: [path] });
  } catch (error) {
    // What the edge holds is only older, and its max-age ends it: no reason to fail a write that has happened.
    console.warn(`the cache in front did not drop ${path}`, error);
  }
}
