// Every history of pushes, pins and collections, with crashes, failures of the bucket and jumps of the clock between
// any two steps: after every step all pins and all that pushers were told is here are served with their closures; at
// the end nothing is left that nothing keeps, and nothing is lost that something does.
// @module-tag slow
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { settlePublications } from "../../../src/catalog/rows/publications.ts";
import { tolerant } from "../../support/clients.ts";
import { collectorsOf } from "../../support/collectors.ts";
import { affectedBy, buildAt, closureOf, graphOf, graphShape, type NodeShape } from "../../support/graph.ts";
import { playAll, rows, TEST_TIMEOUT_MS, telling, weighted } from "../../support/histories.ts";
import { Ledger } from "../../support/ledger.ts";
import { captureLog } from "../../support/log.ts";
import { memoryBucket } from "../../support/memory-bucket.ts";
import { Oracle } from "../../support/oracle.ts";
import { choices, type Schedule } from "../../support/schedule.ts";
import { type Operation, Simulation } from "../../support/simulation.ts";

const HOUR = 3600_000;
const DAY = 24 * HOUR;
const GRACE_MS = HOUR;

const KINDS = {
  copy: 6,
  missing: 2,
  pin: 3,
  unpin: 1,
  companions: 1,
  collect: 6,
  "dry-run": 1,
  sweep: 2,
  reindex: 1,
  delete: 2,
} as const;

interface Action {
  readonly kind: keyof typeof KINDS;
  readonly path: number;
  readonly build: number;
  readonly name: string;
  readonly flag: boolean;
}

interface Round {
  readonly actions: readonly Action[];
  readonly choices: Schedule;
  /** Milliseconds by which the clock moves afterwards; it may be set back. */
  readonly pause: number;
  readonly restart: boolean;
}

interface Script {
  readonly shapes: readonly NodeShape[];
  readonly pushed: number;
  readonly rounds: readonly Round[];
  /** Hours; absent: by size alone. */
  readonly retention: number | undefined;
  /** Bytes; absent: by age alone. */
  readonly maxSize: number | undefined;
  /** Administrators delete, too. */
  readonly deletes: boolean;
}

const action: fc.Arbitrary<Action> = fc.record({
  kind: weighted(KINDS),
  path: fc.nat(7),
  build: fc.nat(2),
  name: fc.constantFrom("production", "staging"),
  flag: fc.boolean(),
});

const script: fc.Arbitrary<Script> = fc
  .record({
    shapes: graphShape,
    pushed: fc.nat(8),
    rounds: fc.array(
      fc.record({
        actions: fc.array(action, { minLength: 1, maxLength: 6 }),
        choices,
        pause: fc.constantFrom(0, 30_000, HOUR / 4, 2 * HOUR, 4 * HOUR, DAY, -HOUR / 2, -3 * HOUR, -2 * DAY),
        restart: fc.boolean(),
      }),
      { minLength: 1, maxLength: 5 },
    ),
    retention: fc.constantFrom(undefined, 2, 6),
    maxSize: fc.constantFrom(undefined, 1, 30, 60),
    deletes: fc.boolean(),
  })
  .filter(({ retention, maxSize }) => retention !== undefined || maxSize !== undefined);

// Every injected failure would be logged for the operator.
captureLog();

it(
  "no history breaks a pin or loses what a pusher relies on, and nothing dead stays",
  () => playAll(script, play),
  TEST_TIMEOUT_MS,
);

async function play(storage: DurableObjectStorage, script: Script): Promise<void> {
  const graph = graphOf(script.shapes);
  const bucket = memoryBucket(() => world.now);
  // By size alone a path may go as soon as no push under way can need it.
  const promisedMs = script.maxSize === undefined ? (script.retention ?? 0) * HOUR : GRACE_MS;
  const ledger: Ledger = new Ledger(promisedMs, () => ({ time: world.now, step: world.steps }));
  const oracle: Oracle = new Oracle({
    isOpen: false,
    isDamaged: false,
    // What was decided before the clock was set back may be carried out after it.
    graceMs: Number.NEGATIVE_INFINITY,
    onCollected: (hash) => ledger.collected(hash),
    step: () => world.steps,
    now: () => world.now,
  });
  const world: Simulation = new Simulation({
    sql: storage.sql,
    transaction: (run) => storage.transactionSync(run),
    bucket,
    variables: {
      GC_GRACE_SECONDS: GRACE_MS / 1000,
      CACHES: {
        "nix-cache": {
          ...(script.retention !== undefined && { retention_days: script.retention / 24 }),
          ...(script.maxSize !== undefined && { max_size_gb: script.maxSize / 1e9 }),
        },
      },
    },
    onChange: (key, object) => {
      oracle.change(key, object);
      ledger.check(oracle);
    },
    onPurge: (paths) => oracle.purged(paths),
  });
  const clients = collectorsOf(world, oracle, ledger);
  const operationOf = ({ kind, path, build: number, name, flag }: Action): Operation => {
    const build = buildAt(graph, path, number);
    switch (kind) {
      case "copy":
        return clients.copy(closureOf(graph, build), !script.deletes);
      case "missing":
        return clients.missing(closureOf(graph, build));
      case "pin":
        return clients.pin(name, build);
      case "unpin":
        return clients.unpin(name);
      case "companions":
        return clients.companions(build);
      case "collect":
        return clients.collect({ dry_run: false, force: flag });
      case "dry-run":
        return clients.collect({ dry_run: true, force: flag });
      case "sweep":
        return clients.sweep();
      case "reindex":
        return clients.reindex();
      case "delete":
        if (!script.deletes) return clients.collect({ dry_run: false, force: true });
        return clients.remove(build, flag, affectedBy(graph, build, flag));
    }
  };

  await telling(world, async () => {
    // The first makes the catalog know its bucket, the second begins to count retention.
    for (let time = 0; time < 2; time++) {
      await world.run([clients.collect({ dry_run: false, force: true })]);
    }
    for (const [build] of graph.slice(0, script.pushed)) {
      await world.run([clients.copy(closureOf(graph, build), true)]);
    }
    for (const { actions, choices, pause, restart } of script.rounds) {
      const operations = actions.map((action) => tolerant(operationOf(action)));
      await world.run(operations, choices);
      ledger.roundEnds();
      // What is over by now is over, also where the clock is set back.
      ledger.check(oracle);
      await world.advance(pause);
      if (restart) world.restart();
      ledger.check(oracle);
    }

    // All that went wrong is over, and what was pushed is old.
    world.history.push("--- the end");
    await world.advance(HOUR);
    world.restart();
    await world.run([{ label: "recover", run: () => resolveExpired(world.context) }]);
    settlePublications(world.context);
    await world.advance(30 * DAY);
    // After so long without a collection retention is counted anew.
    for (let time = 0; time < 4; time++) {
      await world.run([clients.collect({ dry_run: false, force: true })]);
      await world.advance(DAY);
      await world.run([clients.sweep()]);
    }
    ledger.check(oracle);
    await checkNothingDead(storage, bucket, script, ledger.companions.keys());
    // No route serves a pin's object.
    expect([...oracle.stale].filter((path) => !path.startsWith("/pins/"))).toEqual([]);
  });
}

/** What the bucket holds in the end is what the catalog's pins hold, and what was wanted too lately. */
async function checkNothingDead(
  storage: DurableObjectStorage,
  bucket: R2Bucket,
  { retention, maxSize, deletes }: Script,
  companions: Iterable<string>,
): Promise<void> {
  const kept = rows<{ hash: string; nar: string }>(
    storage,
    `WITH RECURSIVE alive (hash) AS (
       SELECT hash FROM pin_revisions UNION SELECT reference FROM alive JOIN refs ON referrer = alive.hash)
     SELECT hash, nar FROM paths WHERE hash IN (SELECT hash FROM alive) ORDER BY hash`,
  );
  const all = rows<{ hash: string; nar: string }>(storage, "SELECT hash, nar FROM paths ORDER BY hash");
  if (retention !== undefined) expect(all).toEqual(kept);
  const { objects } = await bucket.list();
  const keys = objects.map(({ key }) => key);
  const ending = (end: string) => keys.filter((key) => key.endsWith(end));
  expect(ending(".narinfo")).toEqual(all.map(({ hash }) => `${hash}.narinfo`));
  const nars = new Set(all.map(({ nar }) => nar));
  expect(keys.filter((key) => key.startsWith("nar/"))).toEqual([...nars].sort());
  const size = objects.filter(({ key }) => key.startsWith("nar/")).reduce((sum, { size }) => sum + size, 0);
  if (maxSize !== undefined && size > maxSize) expect(all).toEqual(kept);
  for (const table of ["pending", "publications", "marks"])
    expect(rows(storage, `SELECT * FROM ${table}`)).toEqual([]);
  expect(rows(storage, "SELECT name FROM pins WHERE is_written = 0")).toEqual([]);
  const pins = rows<{ name: string }>(storage, "SELECT name FROM pins ORDER BY name");
  for (const { name } of pins) expect(keys).toContain(`pins/${name}`);
  // Administrators delete while companions are on their way.
  if (deletes) return;
  const listings = all.map(({ hash }) => `${hash}.ls`);
  for (const key of ending(".ls")) expect(listings).toContain(key);
  const owned = rows<{ key: string }>(
    storage,
    "SELECT key FROM companions WHERE owner IN (SELECT hash FROM paths UNION SELECT nar FROM paths) ORDER BY key",
  );
  // A row without an object is of a put that failed.
  const owners = new Set(owned.map(({ key }) => key));
  for (const key of keys) if (/^(debuginfo|realisations)\//.test(key)) expect([...owners]).toContain(key);
  for (const key of companions) expect(keys).toContain(key);
}
