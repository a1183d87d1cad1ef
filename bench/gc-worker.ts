// The Worker with a catalog that can be filled without a bucket and collected step by step: for measuring collections
// at sizes that would take hours to push.
import { Catalog, RUNS } from "../src/catalog/catalog.ts";
import { COLLECT } from "../src/catalog/collect/collect.ts";
import { metered } from "../src/catalog/meter.ts";
import { startReindex } from "../src/catalog/reindex/state.ts";
import { sweepNars } from "../src/catalog/remove/sweep.ts";
import { indexPath } from "../src/catalog/rows/index-path.ts";
import { continueRuns, requestRun } from "../src/catalog/runs/engine.ts";
import { saveRun } from "../src/catalog/runs/run.ts";
import { configOf } from "../src/config/config.ts";
import type { GcOptions, GcReport, Spent } from "../src/contract/runs.ts";
import type { Env } from "../src/env.ts";
import { handle } from "../src/index.ts";
import { formatNarInfo, parseNarInfo } from "../src/nix/narinfo.ts";
import { pathName, storeHash } from "./catalog-paths.ts";
import { narInfoOf } from "./narinfo.ts";

/** Paths that refer only to one another. */
const GROUP = 100;
const REFERENCES = 5;
const OLD_MS = 60 * 24 * 3600 * 1000;

export interface Sweep {
  readonly deletedNars: number;
  readonly spent: Spent;
}

export class CollectedCatalog extends Catalog {
  /** Indexes the paths `from` up to `to`: every second group is old, and dead. */
  fill(from: number, to: number): void {
    const { context: c } = this;
    c.transaction(() => {
      for (let index = from; index < to; index++) {
        const group = Math.floor(index / GROUP);
        const inGroup = index % GROUP;
        const references = Array.from({ length: Math.min(inGroup, REFERENCES) }, (_, back) =>
          pathName(index - 1 - back),
        );
        const info = parseNarInfo(narInfoOf(index, references), c.config.storeDir);
        const pushed = group % 2 === 1 ? c.now() - OLD_MS : c.now();
        const push = { uploaded: pushed, firstPush: pushed, pushedBy: "PUSH_TOKEN" };
        indexPath(c, { info, text: formatNarInfo(info), etag: storeHash(index), ...push });
      }
    });
  }

  /** As after a reindex, and long after the first collection. */
  async prepare(): Promise<void> {
    const { context: c } = this;
    const reindex = startReindex(c);
    reindex.finished = reindex.completed = c.now();
    saveRun(c, reindex);
    await requestRun(c, COLLECT, { dry_run: true });
    c.sql.exec("UPDATE runs SET state = json_set(state, '$.state.since', 0) WHERE kind = 'gc'");
  }

  async collect(options: GcOptions, isFirst: boolean): Promise<GcReport | undefined> {
    // No edge here.
    const c = { ...this.context, purge: async () => {} };
    if (isFirst) await requestRun(c, COLLECT, options);
    else await continueRuns(c, RUNS);
    return COLLECT.status(c);
  }

  /** One alarm's sweep of the NARs that a collection has released, after their grace period. */
  async sweep(): Promise<Sweep> {
    const { context: c } = this;
    const later = { now: () => c.now() + 2 * c.config.graceMs, purge: async () => {} };
    const { context, spent } = metered({ ...c, ...later });
    const { deletedNars } = await sweepNars(context);
    return { deletedNars, spent: spent() };
  }
}

export default {
  async fetch(request: Request, env: Env, ctx: ExecutionContext): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url);
    const catalog = env.CATALOG.getByName(configOf(env).cacheName) as unknown as CollectedCatalog;
    const isSet = (name: string) => searchParams.get(name) === "true";
    switch (pathname) {
      case "/fill":
        await catalog.fill(Number(searchParams.get("from")), Number(searchParams.get("to")));
        return new Response();
      case "/prepare":
        await catalog.prepare();
        return new Response();
      case "/collect":
        return Response.json(await catalog.collect({ dry_run: isSet("dry"), force: true }, isSet("first")));
      case "/sweep":
        return Response.json(await catalog.sweep());
      default:
        return handle(request, env, ctx);
    }
  },
} satisfies ExportedHandler<Env>;
