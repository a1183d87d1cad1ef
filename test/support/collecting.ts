/** Collections, in tests: within the real catalog, at any time, by any rules. */
import { env } from "cloudflare:workers";
import { COLLECT } from "../../src/catalog/collect/collect.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { putPin } from "../../src/catalog/pins/pins.ts";
import { requestRun } from "../../src/catalog/runs/engine.ts";
import { type Config, parseConfig } from "../../src/config/config.ts";
import type { GcOptions, GcReport } from "../../src/contract/runs.ts";
import type { Env } from "../../src/env.ts";
import { keys } from "./cache.ts";
import { HOUR_MS, inCatalog, publishPath, reindex, toEnd } from "./runs.ts";
import { type TestPath, testPath } from "./store-paths.ts";

export const DAY_MS = 24 * HOUR_MS;

/** Settings and options of most collections of the tests. */
export const MONTH = { retention_days: 30 };
export const FORCE = { force: true };

/** Settings of the cache's entry in CACHES. */
export type Settings = Readonly<Record<string, unknown>>;

export function configWith(settings: Settings, variables: Partial<Env> = {}): Config {
  return parseConfig({ BUCKET: env.BUCKET, CACHES: { "nix-cache": settings }, ...variables } as Env);
}

/** The context so many days from now, in a cache with these settings. */
export function daysLater(days: number, settings: Settings): Partial<CatalogContext> {
  return { now: () => Date.now() + days * DAY_MS, config: configWith(settings) };
}

/** A whole collection, within the object. Throws the error that stops a step. */
export async function collect(c: CatalogContext, options: GcOptions = {}): Promise<GcReport> {
  await requestRun(c, COLLECT, options);
  return toEnd(c, () => COLLECT.status(c));
}

/** The first collection of a catalog that knows its bucket, from which retention is counted: it finds nothing. */
export async function beginRetention(settings: Settings): Promise<GcReport> {
  await inCatalog((c) => reindex(c));
  return await inCatalog((c) => collect(c), daysLater(0, settings));
}

/** As if the cron had begun a collection every day until then. */
export async function cronUntil(days: number): Promise<void> {
  const time = Date.now() + days * DAY_MS;
  await inCatalog(({ sql }) =>
    sql.exec("UPDATE runs SET started = ?1, finished = ?1 WHERE kind = 'gc' AND finished NOTNULL", time),
  );
}

/** A collection so many days from now, after one on every day before. */
export async function collectAfter(
  days: number,
  settings: Settings,
  options: GcOptions = {},
): Promise<GcReport> {
  await cronUntil(days - 1);
  return await inCatalog((c) => collect(c, options), daysLater(days, settings));
}

export function pinPath(
  name: string,
  { info: { storePath } }: TestPath,
  days = 0,
  keep: { keepRevisions?: number; keepDays?: number } = {},
) {
  const request = { hash: storePath.hash, name: storePath.name, ...keep };
  return inCatalog((c) => putPin(c, name, request, "tester"), daysLater(days, {}));
}

/** Keys of all narinfos in the bucket. */
export async function narinfos(): Promise<string[]> {
  return (await keys()).filter((key) => key.endsWith(".narinfo"));
}

/** Publishes paths of these names, which refer to nothing but themselves. */
export async function published(...names: string[]): Promise<TestPath[]> {
  const paths = await Promise.all(names.map((name) => testPath(name, `contents of ${name}`)));
  for (const path of paths) await publishPath(path);
  return paths;
}
