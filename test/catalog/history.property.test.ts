// Every history of uploading, publishing, signing and deleting, with crashes and failures between any two steps: at
// every point at which a client could look, nothing is served whose NAR or references are not there.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { recover } from "../../src/catalog/pending.ts";
import { clientsOf, tolerant } from "../support/clients.ts";
import {
  type Build,
  type Builds,
  type Graph,
  graphOf,
  graphShape,
  type NodeShape,
} from "../support/graph.ts";
import { memoryBucket } from "../support/memory-bucket.ts";
import { Oracle } from "../support/oracle.ts";
import { FAULTS, type FaultAt, type Operation, World } from "../support/world.ts";

/** More find more: VITE_PROPERTY_RUNS=20000 vitest run --project worker test/catalog/history.property.test.ts */
const RUNS = Number(import.meta.env.VITE_PROPERTY_RUNS ?? 200);
const SEED: string | undefined = import.meta.env.VITE_PROPERTY_SEED;
/** Milliseconds after which a property is given up. */
const TIME_LIMIT = 3600_000;
const HOUR = 3600_000;

/** What is done, and how often: what can hurt each other most is done most. */
const KINDS = {
  upload: 2,
  publish: 4,
  sign: 1,
  push: 2,
  copy: 1,
  delete: 3,
  "delete-all": 2,
  sweep: 4,
  reindex: 1,
  check: 1,
  repair: 1,
} as const;

interface Action {
  readonly kind: keyof typeof KINDS;
  readonly path: number;
  readonly build: number;
  readonly signer: number;
  readonly narsFirst: boolean;
}

const DAMAGES = ["nar-gone", "nar-cut", "narinfo-gone", "narinfo-garbage", "catalog-lost"] as const;

/** What happens past the Worker. */
interface Damage {
  readonly kind: (typeof DAMAGES)[number];
  readonly path: number;
}

/** Actions that go on at once. */
interface Round {
  readonly actions: readonly Action[];
  readonly picks: readonly number[];
  readonly faults: readonly FaultAt[];
  /** Milliseconds that pass afterwards. */
  readonly pause: number;
  readonly restart: boolean;
  readonly damages: readonly Damage[];
}

interface Script {
  readonly shapes: readonly NodeShape[];
  /** Paths that another tool has put there, unknown to the catalog. */
  readonly foreign: number;
  /** Paths pushed before anything goes wrong. */
  readonly pushed: number;
  readonly rounds: readonly Round[];
  readonly graceMs: number;
}

const action: fc.Arbitrary<Action> = fc.record({
  kind: fc.oneof(
    ...(Object.keys(KINDS) as (keyof typeof KINDS)[]).map((kind) => ({
      arbitrary: fc.constant(kind),
      weight: KINDS[kind],
    })),
  ),
  // Rather the first ones, to which the others refer.
  path: fc.oneof(fc.nat(2), fc.nat(7)),
  build: fc.nat(2),
  signer: fc.nat(3),
  narsFirst: fc.boolean(),
});

const damage: fc.Arbitrary<Damage> = fc.record({ kind: fc.constantFrom(...DAMAGES), path: fc.nat(7) });

const fault: fc.Arbitrary<FaultAt> = fc.oneof(
  fc.record({ fault: fc.constantFrom(...FAULTS), step: fc.nat(60), ofChanges: fc.constant(false) }),
  fc.record({ fault: fc.constantFrom(...FAULTS), step: fc.nat(8), ofChanges: fc.constant(true) }),
);

const round: fc.Arbitrary<Round> = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 6 }),
  picks: fc.array(fc.nat(20), { maxLength: 150 }),
  faults: fc.array(fault, { maxLength: 3 }),
  pause: fc.constantFrom(0, 30_000, HOUR / 4, HOUR, 26 * HOUR),
  restart: fc.boolean(),
  damages: fc.array(damage, { minLength: 1, maxLength: 3 }),
});

const script: fc.Arbitrary<Script> = fc.record({
  shapes: graphShape,
  foreign: fc.oneof(fc.constant(0), fc.nat(8)),
  pushed: fc.nat(8),
  rounds: fc.array(round, { minLength: 1, maxLength: 4 }),
  graceMs: fc.constantFrom(0, HOUR / 2),
});

// Every injected failure would be logged for the operator.
beforeEach(() => {
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});

/** What a cache promises. */
interface Kind {
  readonly isOpen: boolean;
  readonly isDamaged: boolean;
  /** Over the local R2 and not in memory: a hundred times slower. */
  readonly isReal?: boolean;
}

describe("any history", () => {
  it.each<[string, Kind]>([
    ["of a cache that checks references", { isOpen: false, isDamaged: false }],
    ["of an open cache", { isOpen: true, isDamaged: false }],
    ["of a cache that other tools damage", { isOpen: false, isDamaged: true }],
    ["over the local R2", { isOpen: false, isDamaged: false, isReal: true }],
  ])(
    "%s",
    (_, kind) =>
      inCatalog((storage) =>
        fc.assert(
          fc.asyncProperty(script, (script) => play(storage, script, kind)),
          {
            numRuns: kind.isReal ? Math.ceil(RUNS / 40) : RUNS,
            interruptAfterTimeLimit: TIME_LIMIT,
            markInterruptAsFailure: true,
            ...(SEED !== undefined && { seed: Number(SEED) }),
          },
        ),
      ),
    TIME_LIMIT + 60_000,
  );
});

async function play(storage: DurableObjectStorage, script: Script, kind: Kind): Promise<void> {
  const { isOpen, isDamaged } = kind;
  clear(storage.sql);
  const graph = graphOf(script.shapes);
  const bucket = kind.isReal ? await emptyBucket() : memoryBucket(() => world.now);
  const oracle = new Oracle({
    ...kind,
    graceMs: script.graceMs,
    step: () => world.steps,
    now: () => world.now,
  });
  const world: World = new World({
    sql: storage.sql,
    transaction: (run) => storage.transactionSync(run),
    bucket,
    ...(isOpen && { variables: { CACHES: { "nix-cache": { open: true } } } }),
    onChange: (key, object) => oracle.change(key, object),
    onPurge: (paths) => oracle.purged(paths),
  });
  const clients = clientsOf(world, oracle, graph);
  const operationOf = (action: Action): Operation => {
    const build = at(at(graph, action.path), action.build);
    switch (action.kind) {
      case "upload":
        return clients.upload(build);
      case "publish":
        return clients.publish(build, [action.signer]);
      case "sign":
        return clients.sign(build.hash, action.signer);
      case "push":
        return clients.push(build);
      case "copy":
        return clients.copy(closureOf(graph, build), action.narsFirst);
      case "delete":
        return clients.remove(build.hash, false);
      case "delete-all":
        return clients.remove(build.hash, true);
      case "sweep":
        return clients.sweep(script.graceMs);
      case "reindex":
        return clients.run("reindex", false);
      case "check":
        return clients.run("check", false);
      case "repair":
        return clients.run("check", true);
    }
  };

  const damages: Record<Damage["kind"], (build: Build) => Promise<void>> = {
    "nar-gone": ({ narKey }) => world.interfere(narKey, (bucket) => bucket.delete(narKey)),
    "nar-cut": ({ narKey, nar }) => world.interfere(narKey, (bucket) => bucket.put(narKey, nar.slice(1))),
    "narinfo-gone": ({ key }) => world.interfere(key, (bucket) => bucket.delete(key)),
    "narinfo-garbage": ({ key, text }) =>
      world.interfere(key, (bucket) => bucket.put(key, text.slice(0, 200))),
    "catalog-lost": async () => {
      clear(storage.sql);
      world.restart();
    },
  };

  try {
    for (const [{ key, text, narKey, nar }] of graph.slice(0, script.foreign)) {
      await world.interfere(narKey, (bucket) => bucket.put(narKey, nar));
      await world.interfere(key, (bucket) => bucket.put(key, text));
    }
    for (const [build] of graph.slice(0, script.pushed)) await world.run([clients.push(build)]);
    for (const { actions, picks, faults, pause, restart, damages: done } of script.rounds) {
      await world.run(
        actions.map((action) => tolerant(operationOf(action))),
        { picks, faults },
      );
      await world.advance(pause);
      if (restart) world.restart();
      if (!isDamaged) continue;
      for (const { kind, path } of done) await damages[kind](at(at(graph, path), 0));
    }

    // All that went wrong is over: what is left half done is settled, and whoever pushes again succeeds.
    world.history.push("--- recovery");
    await world.advance(HOUR);
    world.restart();
    await world.run([{ label: "recover", run: () => recover(world.context) }]);
    expect(rows(storage, "SELECT * FROM pending")).toEqual([]);
    if (isDamaged) {
      for (const builds of graph) await world.run([clients.force(at(builds, script.pushed))]);
      oracle.checkServed();
    } else {
      if (script.foreign > 0) await world.run([clients.run("reindex", false)]);
      await checkCatalog(storage, bucket, kind);
      await world.run([clients.run("check", false)]);
      expect(findings(storage, isOpen)).toEqual([]);
      for (const builds of graph) await world.run([clients.push(at(builds, script.pushed))]);
      expect([...oracle.stale]).toEqual([]);
    }
    for (const [{ hash }] of graph) expect(oracle.served.has(hash)).toBe(true);
    await checkCatalog(storage, bucket, kind);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${world.history.join("\n")}`, {
      cause: error,
    });
  }
}

/** What the last check has found and should not: uploads that nobody published are nothing wrong. */
function findings(storage: DurableObjectStorage, isOpen: boolean) {
  const allowed = ["unreferenced-nar", "unindexed-nar", ...(isOpen ? ["missing-reference"] : [])];
  return rows<{ kind: string }>(
    storage,
    "SELECT kind, name, detail FROM findings WHERE run = 'check'",
  ).filter(({ kind }) => !allowed.includes(kind));
}

/** The catalog says of narinfos and NARs what the bucket holds. */
async function checkCatalog(
  storage: DurableObjectStorage,
  bucket: R2Bucket,
  { isDamaged }: Kind,
): Promise<void> {
  const { objects } = await bucket.list();
  const narinfos = [];
  const references = [];
  for (const { key, etag } of objects.filter(({ key }) => key.endsWith(".narinfo"))) {
    const text = (await (await bucket.get(key))?.text()) ?? "";
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, "m").exec(text)?.[1] ?? "";
    const hash = key.slice(0, 32);
    narinfos.push({ hash, nar: field("URL"), narinfo: text, etag });
    for (const reference of field("References").split(" ")) {
      if (reference !== "" && reference.slice(0, 32) !== hash) {
        references.push({ referrer: hash, reference: reference.slice(0, 32) });
      }
    }
  }
  expect(rows(storage, "SELECT hash, nar, narinfo, etag FROM paths ORDER BY hash")).toEqual(narinfos);
  expect(rows(storage, "SELECT referrer, reference FROM refs ORDER BY referrer, reference")).toEqual(
    references.sort((a, b) => (`${a.referrer}${a.reference}` < `${b.referrer}${b.reference}` ? -1 : 1)),
  );
  const nars = new Set(objects.map(({ key }) => key).filter((key) => key.startsWith("nar/")));
  for (const { nar } of rows<{ nar: string }>(storage, "SELECT DISTINCT nar FROM paths")) {
    expect(nars.has(nar)).toBe(true);
    expect(rows(storage, "SELECT released FROM nars WHERE key = ?", nar)).toEqual([{ released: null }]);
  }
  // Who damages the bucket tells nobody.
  if (isDamaged) return;
  for (const { key } of rows<{ key: string }>(storage, "SELECT key FROM nars WHERE is_stored = 1")) {
    expect(nars.has(key)).toBe(true);
  }
}

/** A build and, before it, the first builds of all that it refers to. */
function closureOf(graph: Graph, build: Build): Build[] {
  const closure = new Set<Build>();
  const visit = (build: Build) => {
    for (const reference of build.info.references) {
      const builds = graph.find(([{ info }]) => info.storePath.baseName === reference);
      if (builds !== undefined && builds[0].hash !== build.hash) visit(builds[0]);
    }
    closure.add(build);
  };
  visit(build);
  return [...closure];
}

function at(builds: Builds, index: number): Build;
function at(graph: Graph, index: number): Builds;
function at<T>(list: readonly T[], index: number): T {
  return list[index % list.length] as T;
}

function inCatalog(run: (storage: DurableObjectStorage) => Promise<void>): Promise<void> {
  const stub = env.CATALOG.getByName("property");
  return runInDurableObject(stub, (_, { storage }) => run(storage));
}

async function emptyBucket(): Promise<R2Bucket> {
  const { objects } = await env.BUCKET.list();
  await env.BUCKET.delete(objects.map(({ key }) => key));
  return env.BUCKET;
}

function clear(sql: SqlStorage): void {
  const tables = ["paths", "refs", "nars", "differing_builds", "pending", "runs", "findings", "unindexed"];
  for (const table of tables) sql.exec(`DELETE FROM ${table}`);
}

function rows<T extends Record<string, SqlStorageValue>>(
  { sql }: DurableObjectStorage,
  query: string,
  ...bindings: string[]
): T[] {
  return sql.exec<T>(query, ...bindings).toArray();
}
