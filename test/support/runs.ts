/** Runs over the bucket, in tests: within the real catalog, to their end. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { RUNS } from "../../src/catalog/catalog.ts";
import { CHECK } from "../../src/catalog/check/check.ts";
import type { CatalogContext } from "../../src/catalog/context.ts";
import { REINDEX } from "../../src/catalog/reindex/reindex.ts";
import { RESIGN } from "../../src/catalog/resign/resign.ts";
import { settlePublications } from "../../src/catalog/rows/publications.ts";
import { continueRuns, requestRun } from "../../src/catalog/runs/engine.ts";
import { httpErrorOf } from "../../src/catalog-refusals.ts";
import { FINDING_KINDS, type FindingKind } from "../../src/contract/findings.ts";
import type { Result } from "../../src/contract/result.ts";
import type {
  CheckOptions,
  CheckReport,
  Progress,
  ReindexReport,
  ResignOptions,
  ResignReport,
  RunReport,
} from "../../src/contract/runs.ts";
import { PUSH_TOKEN } from "./cache.ts";
import type { TestPath } from "./store-paths.ts";

export const HOUR_MS = 3600_000;
/** The grace period of a cache that says nothing else. */
export const NAR_GRACE_MS = 25 * HOUR_MS;

/** The context as if so many milliseconds had passed since everything that has happened so far. */
export const later = (ms = HOUR_MS): { readonly now: () => number } => ({ now: () => Date.now() + ms });

export function catalog() {
  return env.CATALOG.getByName("nix-cache");
}

/** As if the alarm that a push sets for its verification had gone off. */
export async function forgetAlarm(): Promise<void> {
  await inCatalog((_, { storage }) => storage.deleteAlarm());
  await evictDurableObject(catalog());
}

/**
 * Runs something inside the catalog's own object, over the real bucket unless `changes` say otherwise, and as if the alarm
 * had settled all pushes before.
 */
export function inCatalog<T>(
  run: (c: CatalogContext, state: DurableObjectState) => T,
  changes: Partial<CatalogContext> = {},
): Promise<T> {
  return inUnsettled((c, state) => {
    settlePublications(c);
    return run(c, state);
  }, changes);
}

/** The same, before that alarm. */
export function inUnsettled<T>(
  run: (c: CatalogContext, state: DurableObjectState) => T,
  changes: Partial<CatalogContext> = {},
): Promise<T> {
  return runInDurableObject(catalog(), (instance, state) => run({ ...instance.context, ...changes }, state));
}

/** The Durable Object loses all that it knows. */
export async function wipe(): Promise<void> {
  await inCatalog((_, state) => state.storage.deleteAll());
  await evictDurableObject(catalog());
}

/** The value of a result that is no refusal. */
export async function value<T>(result: Promise<Result<T>>): Promise<T> {
  const settled = await result;
  if (!settled.ok) throw httpErrorOf(settled.refusal);
  return settled.value;
}

/** Lets the alarms do the rest of a run, as they do by themselves, and gives its last report. */
export async function untilDone<R extends RunReport>(
  status: () => Promise<Result<R | undefined>>,
): Promise<R> {
  for (let alarm = 0; alarm < 100; alarm++) {
    const report = await value(status());
    if (report?.done) return report;
    await runDurableObjectAlarm(catalog());
  }
  throw new Error("the run does not end");
}

/** A whole reindex, within the object. Throws what stops a step. */
export async function reindex(c: CatalogContext): Promise<ReindexReport> {
  await requestRun(c, REINDEX, {});
  return toEnd(c, () => REINDEX.status(c));
}

/** A whole check, within the object. Throws what stops a step. */
export async function check(c: CatalogContext, options: CheckOptions = {}): Promise<CheckReport> {
  await requestRun(c, CHECK, options);
  return toEnd(c, () => CHECK.status(c));
}

/** A whole resign, within the object. Throws what stops a step. */
export async function resign(c: CatalogContext, options: ResignOptions = {}): Promise<ResignReport> {
  await requestRun(c, RESIGN, options);
  return toEnd(c, () => RESIGN.status(c));
}

/** Does all steps of a run that has begun, whose report this is. Throws what stops one. */
export async function toEnd<R extends Progress>(c: CatalogContext, status: () => R | undefined): Promise<R> {
  for (let turn = 0; turn < 1000; turn++) {
    const report = status();
    if (report?.problem !== undefined) throw new Error(report.problem);
    if (report?.done) return report;
    await continueRuns(c, RUNS);
  }
  throw new Error("the run does not end");
}

/** The names of what a check has found, by kind, without the kinds of which there is nothing. */
export function namesOf(report: CheckReport): Partial<Record<FindingKind, string[]>> {
  return Object.fromEntries(
    FINDING_KINDS.flatMap((kind) => {
      const { first } = report.findings[kind];
      return first.length === 0 ? [] : [[kind, first.map(({ name }) => name)]];
    }),
  );
}

/** Everything that the catalog knows of the bucket. What it knows of pushers only, it may forget. */
export function rows({ sql }: CatalogContext) {
  return {
    paths: sql.exec("SELECT * FROM paths ORDER BY hash").toArray(),
    refs: sql.exec("SELECT * FROM refs ORDER BY referrer, reference").toArray(),
    nars: sql.exec("SELECT key, size, sha256, is_stored FROM nars ORDER BY key").toArray(),
    pending: unresolved({ sql }),
  };
}

/** Deletions and publications that have not ended. */
export function unresolved({ sql }: Pick<CatalogContext, "sql">) {
  return [
    ...sql.exec("SELECT key, kind FROM pending").toArray(),
    ...sql.exec("SELECT hash AS key, 'publish' AS kind FROM publications").toArray(),
  ];
}

/** Publishes a path as the Worker does. */
export async function publishPath(path: TestPath): Promise<void> {
  await value(catalog().announceNar({ key: path.narKey, size: path.nar.length }));
  await env.BUCKET.put(path.narKey, path.nar, { sha256: await crypto.subtle.digest("SHA-256", path.nar) });
  await value(catalog().publish(path.text, PUSH_TOKEN));
}

/** Puts a path into the bucket as another tool does: the catalog hears nothing of it, R2 has no SHA-256. */
export async function storePath(path: TestPath): Promise<void> {
  await env.BUCKET.put(path.narKey, path.nar);
  await env.BUCKET.put(path.key, path.text);
}
