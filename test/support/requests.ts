/** Single requests of clients in a {@link World}, through the Worker's own code. */
import { putNar } from "../../src/cache/put-nar.ts";
import { type Touch, touchNar } from "../../src/cache/touch.ts";
import { RUNS } from "../../src/catalog/catalog.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { toResult } from "../../src/catalog/refuse.ts";
import { requireIndex } from "../../src/catalog/reindex/indexed.ts";
import { deletePath } from "../../src/catalog/remove/delete.ts";
import { sweepNars } from "../../src/catalog/remove/sweep.ts";
import type { RunDefinition } from "../../src/catalog/runs/definition.ts";
import { continueRuns, requestRun } from "../../src/catalog/runs/engine.ts";
import { type AskCatalog, unwrap } from "../../src/catalog-client.ts";
import type { Config } from "../../src/config/config.ts";
import type { Context } from "../../src/context.ts";
import { Daily } from "../../src/upstream/daily.ts";
import type { Build } from "./graph.ts";
import type { Oracle } from "./oracle.ts";
import type { Client } from "./simulation.ts";

/** Of the only cache. */
export const CACHE_NAME = "nix-cache";

/** PUT of a NAR. */
export async function upload(client: Client, build: Build, oracle: Oracle): Promise<void> {
  const request = new Request(`https://cache.example.org/${build.narKey}`, {
    method: "PUT",
    body: build.nar,
    headers: { "Content-Length": String(build.nar.length) },
  });
  const purged = (paths: readonly string[]) => oracle.purged(paths);
  await putNar(contextOf(client, request, build.narKey, purged));
  oracle.narAcknowledged(build.narKey);
}

/** The context of a handler, with only the parts that uploads use. */
export function contextOf(
  { bucket, catalog, recentNars }: Pick<Client, "bucket" | "catalog" | "recentNars">,
  request: Request,
  path: string,
  purge: Context["purge"],
): Context {
  const identity = { name: "tester" };
  const config = { cacheName: CACHE_NAME } as Config;
  const ask: AskCatalog = (question) => unwrap(() => question(catalog));
  return { request, bucket, config, path, purge, identity, recentNars, catalog: ask } as Context;
}

/** As a pusher does it, which asks before uploading and relies on the answer. */
export async function uploadIfAbsent(client: Client, build: Build, oracle: Oracle): Promise<void> {
  const look = () => client.bucket.head(build.narKey);
  if (!(await isFound(client, build.narKey, look, touchNar))) await upload(client, build, oracle);
}

/** Whether the Worker tells a pusher that an object is here. */
export async function isFound(
  client: Pick<Client, "bucket" | "catalog">,
  path: string,
  look: () => Promise<R2Object | null>,
  touch: Touch,
): Promise<boolean> {
  const config = { retentionDays: 1 } as Config;
  const catalog: AskCatalog = (ask) => unwrap(() => ask(client.catalog));
  const object = await look();
  if (object === null) return false;
  const context = {
    afterwards: () => {},
    catalog,
    config,
    daily: new Daily(),
    isPusher: async () => true,
    path,
  };
  return (await touch(context, object)) || (await look()) !== null;
}

/** Has the catalog do something; its refusals are thrown. */
export function call<T>(client: Client, work: (c: CatalogContext) => Promise<T> | T): Promise<T> {
  return unwrap(() => client.call((c) => toResult(() => work(c))));
}

/** How many alarms a run gets at most. */
const MAX_ALARMS = 20;

/** Begins a run and does what its alarms would do, until it is over or has a problem. */
export async function runToEnd<O>(client: Client, kind: RunDefinition<O>, options: O): Promise<void> {
  await call(client, (c) => requestRun(c, kind, options));
  for (let alarm = 0; alarm < MAX_ALARMS; alarm++) {
    const isOver = await call(client, async (c) => {
      const run = kind.load(c)?.run;
      if (run === undefined || run.finished !== undefined || run.problem !== undefined) return true;
      await continueRuns(c, RUNS);
      return false;
    });
    if (isOver) return;
  }
}

/** Does what the alarms would do, until no run is under way. */
export async function finishRuns(client: Client): Promise<void> {
  for (let alarm = 0; alarm < MAX_ALARMS; alarm++) {
    if ((await call(client, (c) => continueRuns(c, RUNS))) === undefined) return;
  }
  throw new Error("the runs do not end");
}

/** Deletes a path, in a catalog that knows its bucket. */
export function remove(client: Client, hash: string, withReferrers: boolean): Promise<void> {
  return call(client, async (c) => {
    await requireIndex(c);
    await deletePath(c, hash, withReferrers);
  });
}

/** Deletes the NARs that nothing refers to, in a catalog that knows its bucket. */
export function sweep(client: Client, graceMs?: number): Promise<void> {
  return call(client, async (c) => {
    await requireIndex(c);
    await sweepNars(c, graceMs);
  });
}
