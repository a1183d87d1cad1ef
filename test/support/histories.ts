/** Properties of all histories: their number, their environment, and the report of a failure. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import type { Simulation } from "./simulation.ts";

/** More find more: VITE_PROPERTY_RUNS=20000 vitest run --project worker test/catalog/history.property.test.ts */
export const RUNS = Number(import.meta.env.VITE_PROPERTY_RUNS ?? 200);
const SEED: string | undefined = import.meta.env.VITE_PROPERTY_SEED;
/** Milliseconds after which a property is given up. */
const TIME_LIMIT_MS = 3600_000;
/** For the test around it, so that it is the property that says so. */
export const TEST_TIMEOUT_MS = TIME_LIMIT_MS + 60_000;

/** Plays histories, each in an empty catalog. */
export function playAll<Script>(
  script: fc.Arbitrary<Script>,
  play: (storage: DurableObjectStorage, script: Script) => Promise<void>,
  numRuns = RUNS,
): Promise<void> {
  return runInDurableObject(env.CATALOG.getByName("property"), (_, { storage }) =>
    fc.assert(
      fc.asyncProperty(script, async (script) => {
        clear(storage.sql);
        await play(storage, script);
      }),
      {
        numRuns,
        interruptAfterTimeLimit: TIME_LIMIT_MS,
        markInterruptAsFailure: true,
        ...(SEED !== undefined && { seed: Number(SEED) }),
      },
    ),
  );
}

/** A failure includes its history. */
export async function telling(world: Simulation, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${world.history.join("\n")}`, {
      cause: error,
    });
  }
}

/** One of these names, each as often as its number says. */
export function weighted<Name extends string>(weights: Readonly<Record<Name, number>>): fc.Arbitrary<Name> {
  const names = Object.keys(weights) as Name[];
  return fc.oneof(...names.map((name) => ({ arbitrary: fc.constant(name), weight: weights[name] })));
}

/** The catalog loses its data. */
export function clear(sql: SqlStorage): void {
  const names = sql.exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'").toArray();
  for (const { name } of names) {
    if (!/^(_cf_|sqlite_|schema_version)/.test(name)) sql.exec(`DELETE FROM ${name}`);
  }
}

export function rows<T extends Record<string, SqlStorageValue>>(
  { sql }: DurableObjectStorage,
  query: string,
  ...bindings: string[]
): T[] {
  return sql.exec<T>(query, ...bindings).toArray();
}
