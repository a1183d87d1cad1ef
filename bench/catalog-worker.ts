// The Worker with a catalog that can be filled without a bucket: for measuring the catalog at sizes that would take
// hours to push. Nothing but the filling differs from the deployed one.
import { Catalog } from "../src/catalog/catalog.ts";
import { indexPath } from "../src/catalog/rows/index-path.ts";
import { configOf } from "../src/config/config.ts";
import type { Env } from "../src/env.ts";
import { handle } from "../src/index.ts";
import { formatNarInfo, parseNarInfo } from "../src/nix/narinfo.ts";
import { pathName, REFERENCES, storeHash } from "./catalog-paths.ts";
import { narInfoOf } from "./narinfo.ts";

export class FilledCatalog extends Catalog {
  /** Indexes the paths `from` up to `to`, each with references to the ones before it. Returns the bytes of all tables. */
  fill(from: number, to: number): number {
    const { context } = this;
    context.transaction(() => {
      for (let index = from; index < to; index++) {
        const references = Array.from({ length: Math.min(index, REFERENCES) }, (_, back) =>
          pathName(index - 1 - back),
        );
        const info = parseNarInfo(narInfoOf(index, references), context.config.storeDir);
        const pushed = context.now();
        indexPath(context, {
          info,
          text: formatNarInfo(info),
          etag: storeHash(index),
          uploaded: pushed,
          firstPush: pushed,
          pushedBy: "PUSH_TOKEN",
        });
      }
    });
    return context.sql.databaseSize;
  }
}

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const url = new URL(request.url);
    if (url.pathname !== "/fill") return handle(request, env, ctx);
    const catalog = env.CATALOG.getByName(configOf(env).cacheName) as unknown as FilledCatalog;
    const bytes = await catalog.fill(
      Number(url.searchParams.get("from")),
      Number(url.searchParams.get("to")),
    );
    return new Response(String(bytes));
  },
} satisfies ExportedHandler<Env>;
