// Every history of uploading, publishing, signing and deleting, with crashes and failures between any two steps: at
// every point at which a client could look, nothing is served whose NAR or references are not there. The cache's own
// keys change: after a resign every narinfo has the signatures of those of now.
// @module-tag slow
import { env } from "cloudflare:workers";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resolveExpired } from "../../src/catalog/publish/resolve.ts";
import { RESIGN_RECORD } from "../../src/catalog/resign/state.ts";
import { settlePublications } from "../../src/catalog/rows/publications.ts";
import { expectAgreement, wronglyFound } from "../support/agreement.ts";
import { clientsOf, tolerant } from "../support/clients.ts";
import { expectFigures } from "../support/figures.ts";
import {
  type Build,
  buildAt,
  closureOf,
  graphOf,
  graphShape,
  MAX_PATHS,
  type NodeShape,
} from "../support/graph.ts";
import { clear, playAll, RUNS, rows, TEST_TIMEOUT_MS, telling, weighted } from "../support/histories.ts";
import { captureLog } from "../support/log.ts";
import { memoryBucket } from "../support/memory-bucket.ts";
import { Oracle } from "../support/oracle.ts";
import { expectSigned, OWN_KEYS, type OwnKey, signingKey } from "../support/own-keys.ts";
import { choices, type Schedule } from "../support/schedule.ts";
import { type Operation, Simulation } from "../support/simulation.ts";

const HOUR = 3600_000;

/** What is done, and how often: what can hurt each other most is done most. */
const KINDS = {
  upload: 2,
  publish: 4,
  sign: 1,
  push: 2,
  copy: 1,
  "publish-all": 4,
  delete: 3,
  "delete-all": 2,
  sweep: 4,
  reindex: 1,
  check: 1,
  repair: 1,
  resign: 2,
  "remove-upstream": 2,
} as const;

interface Action {
  readonly kind: keyof typeof KINDS;
  readonly path: number;
  readonly build: number;
  readonly signer: number;
  readonly narsFirst: boolean;
}

/** A key that nothing is verified with: the world's own upstream says what it has. */
const UPSTREAM = {
  url: "https://upstream.example.org",
  public_keys: [`up-1:${new Uint8Array(32).fill(9).toBase64()}`],
};

const DAMAGES = ["nar-gone", "nar-cut", "narinfo-gone", "narinfo-garbage", "catalog-lost"] as const;

/** What happens past the Worker. */
interface Damage {
  readonly kind: (typeof DAMAGES)[number];
  readonly path: number;
}

/** Actions that go on at once. */
interface Round {
  readonly actions: readonly Action[];
  readonly choices: Schedule;
  /** Which of its own keys the cache signs with from now on. */
  readonly keys: readonly OwnKey[];
  /** Milliseconds that pass afterwards. */
  readonly pause: number;
  readonly restart: boolean;
  readonly damages: readonly Damage[];
  /** The upstream does not answer. */
  readonly isUpstreamDown: boolean;
}

interface Script {
  readonly shapes: readonly NodeShape[];
  /** Paths that another tool has put there, unknown to the catalog. */
  readonly foreign: number;
  /** Paths pushed before anything goes wrong. */
  readonly pushed: number;
  readonly rounds: readonly Round[];
  readonly graceMs: number;
  /** Which of the paths an upstream has: one bit for each. */
  readonly upstream: number;
}

const action: fc.Arbitrary<Action> = fc.record({
  kind: weighted(KINDS),
  // Rather the first ones, to which the others refer.
  path: fc.oneof(fc.nat(2), fc.nat(7)),
  build: fc.nat(2),
  signer: fc.nat(3),
  narsFirst: fc.boolean(),
});

const damage: fc.Arbitrary<Damage> = fc.record({ kind: fc.constantFrom(...DAMAGES), path: fc.nat(7) });

const round: fc.Arbitrary<Round> = fc.record({
  actions: fc.array(action, { minLength: 1, maxLength: 6 }),
  choices,
  keys: fc.subarray([...OWN_KEYS]),
  pause: fc.constantFrom(0, 30_000, HOUR / 4, HOUR, 26 * HOUR),
  restart: fc.boolean(),
  damages: fc.array(damage, { minLength: 1, maxLength: 3 }),
  isUpstreamDown: fc.boolean(),
});

const script: fc.Arbitrary<Script> = fc.record({
  shapes: graphShape,
  foreign: fc.oneof(fc.constant(0), fc.nat(8)),
  pushed: fc.nat(8),
  rounds: fc.array(round, { minLength: 1, maxLength: 4 }),
  graceMs: fc.constantFrom(0, HOUR / 2),
  upstream: fc.nat(2 ** MAX_PATHS - 1),
});

// Every injected failure would be logged for the operator.
captureLog();

/** What a cache promises. */
interface Kind {
  readonly isOpen: boolean;
  readonly isDamaged: boolean;
  /** Over the local R2 and not in memory: a hundred times slower. */
  readonly isReal?: boolean;
  readonly hasUpstream?: boolean;
}

describe("any history", () => {
  it.each<[string, Kind]>([
    ["of a cache that checks references", { isOpen: false, isDamaged: false }],
    ["of an open cache", { isOpen: true, isDamaged: false }],
    ["of a cache that other tools damage", { isOpen: false, isDamaged: true }],
    ["of a cache with an upstream", { isOpen: false, isDamaged: false, hasUpstream: true }],
    [
      "of a cache with an upstream that other tools damage",
      { isOpen: false, isDamaged: true, hasUpstream: true },
    ],
    ["over the local R2", { isOpen: false, isDamaged: false, isReal: true }],
  ])(
    "%s",
    (_, kind) =>
      playAll(
        script,
        (storage, script) => play(storage, script, kind),
        kind.isReal ? Math.ceil(RUNS / 40) : RUNS,
      ),
    TEST_TIMEOUT_MS,
  );
});

async function play(storage: DurableObjectStorage, script: Script, kind: Kind): Promise<void> {
  const { isOpen, isDamaged } = kind;
  const graph = graphOf(script.shapes);
  let isUpstreamDown = false;
  const upstreamPaths = new Map(
    graph
      .filter((_, path) => kind.hasUpstream && (script.upstream >> path) & 1)
      .map(([{ hash, info }]) => [hash, info.storePath.baseName]),
  );
  const bucket = kind.isReal ? await emptyBucket() : memoryBucket(() => world.now);
  const oracle = new Oracle({
    ...kind,
    isUpstream: (hash) => upstreamPaths.has(hash),
    graceMs: script.graceMs,
    step: () => world.steps,
    now: () => world.now,
  });
  const world: Simulation = new Simulation({
    sql: storage.sql,
    transaction: (run) => storage.transactionSync(run),
    bucket,
    upstream: (hash) => (isUpstreamDown ? undefined : upstreamPaths.get(hash)),
    ...(kind.hasUpstream && { variables: { UPSTREAMS: [UPSTREAM] } }),
    ...(isOpen && { variables: { CACHES: { "nix-cache": { open: true } } } }),
    onChange: (key, object) => oracle.change(key, object),
    onPurge: (paths) => oracle.purged(paths),
  });
  const finalBuilds = graph.map((_, path) => buildAt(graph, path, script.pushed));
  const clients = clientsOf(world, oracle, graph);
  const operationOf = (action: Action): Operation => {
    const build = buildAt(graph, action.path, action.build);
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
      case "publish-all": {
        const closure = [buildAt(graph, action.signer, 0), ...closureOf(graph, build)];
        return clients.publishAll(closure, action.narsFirst);
      }
      case "delete":
        return clients.remove(build, false);
      case "delete-all":
        return clients.remove(build, true);
      case "sweep":
        return clients.sweep(script.graceMs);
      case "reindex":
        return clients.run("reindex", false);
      case "check":
        return clients.run("check", false);
      case "repair":
        return clients.run("check", true);
      case "remove-upstream":
        return clients.removeUpstream([...upstreamPaths.keys()]);
      case "resign":
        return clients.resign(OWN_KEYS[action.signer]?.name);
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

  await telling(world, async () => {
    for (const [{ key, text, narKey, nar }] of graph.slice(0, script.foreign)) {
      await world.interfere(narKey, (bucket) => bucket.put(narKey, nar));
      await world.interfere(key, (bucket) => bucket.put(key, text));
    }
    for (const [build] of graph.slice(0, script.pushed)) await world.run([clients.push(build)]);
    let keys: readonly OwnKey[] = [];
    const deployed = [""];
    for (const { actions, choices, pause, restart, damages: done, ...round } of script.rounds) {
      if (signingKey(round.keys) !== signingKey(keys)) world.deploy({ SIGNING_KEY: signingKey(round.keys) });
      keys = round.keys;
      if (deployed.at(-1) !== signingKey(keys)) deployed.push(signingKey(keys));
      isUpstreamDown = round.isUpstreamDown;
      await world.run(
        actions.map((action) => tolerant(operationOf(action))),
        choices,
      );
      await world.advance(pause);
      if (restart) world.restart();
      if (!isDamaged) continue;
      for (const { kind, path } of done) await damages[kind](buildAt(graph, path, 0));
    }

    // All faults are over: intents are resolved, and every push succeeds.
    world.history.push("--- recovery");
    isUpstreamDown = false;
    await world.advance(HOUR);
    world.restart();
    await world.run([{ label: "recover", run: () => resolveExpired(world.context) }]);
    settlePublications(world.context);
    for (const table of ["pending", "publications"]) {
      expect(rows(storage, `SELECT * FROM ${table}`)).toEqual([]);
    }
    // One that is under way would go on deleting.
    if (kind.hasUpstream) await world.run([clients.removeUpstream([...upstreamPaths.keys()])]);
    if (isDamaged) {
      for (const build of finalBuilds) await world.run([clients.force(build)]);
      oracle.checkServed();
    } else {
      if (script.foreign > 0) await world.run([clients.run("reindex", false)]);
      await expectAgreement(storage, bucket, kind);
      await expectFigures(world.context);
      await world.run([clients.run("check", false)]);
      expect(wronglyFound(storage, isOpen)).toEqual([]);
      for (const build of finalBuilds) await world.run([clients.push(build)]);
    }
    const dropped = OWN_KEYS.find((key) => !keys.includes(key))?.name;
    // A resign under way ends with the keys of now. What it drops, the next one would drop, too.
    const underWay = RESIGN_RECORD.load(world.context);
    await world.run([clients.finishRuns()]);
    // It cannot notice that keys were others meanwhile and are back (docs/operating/signing.md).
    const areBack = deployed.indexOf(signingKey(keys)) < deployed.length - 1;
    if (underWay !== undefined && underWay.finished === undefined && !areBack)
      await expectSigned(bucket, keys);
    await world.run([clients.resign(dropped)]);
    expect(RESIGN_RECORD.load(world.context)).toMatchObject({
      finished: expect.any(Number),
      state: { drop: dropped ?? null },
    });
    await expectSigned(bucket, keys, dropped);
    for (const [{ hash }] of graph) expect(oracle.served.has(hash)).toBe(true);
    await expectAgreement(storage, bucket, kind);
    await expectFigures(world.context);
    if (!isDamaged) expect([...oracle.stale]).toEqual([]);
  });
}

async function emptyBucket(): Promise<R2Bucket> {
  const { objects } = await env.BUCKET.list();
  await env.BUCKET.delete(objects.map(({ key }) => key));
  return env.BUCKET;
}
