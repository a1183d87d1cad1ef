// Concurrent publications and deletions are serializable.
// @module-tag slow
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { publish } from "../../src/catalog/publish/publish.ts";
import { toResult } from "../../src/catalog/refuse.ts";
import { deletePath } from "../../src/catalog/remove/delete.ts";
import { unwrap } from "../../src/catalog-client.ts";
import { HttpError } from "../../src/http/errors.ts";
import { type Build, type Builds, buildAt, graphOf, graphShape, signed } from "../support/graph.ts";
import { playAll, TEST_TIMEOUT_MS, telling } from "../support/histories.ts";
import { memoryBucket } from "../support/memory-bucket.ts";
import { type Operation, Simulation } from "../support/simulation.ts";

const act = fc.record({
  isDeletion: fc.nat(4).map((number) => number === 0),
  path: fc.nat(3),
  build: fc.nat(2),
  signer: fc.nat(2),
});
type Act = typeof act extends fc.Arbitrary<infer T> ? T : never;

const script = fc.record({
  shapes: graphShape,
  pushed: fc.nat(3),
  acts: fc.array(act, { minLength: 2, maxLength: 5 }),
  picks: fc.array(fc.nat(20), { maxLength: 80 }),
});

/** What is published: builds and their signers, by hash part. */
type State = ReadonlyMap<string, { readonly build: Build; readonly signers: ReadonlySet<number> }>;

it(
  "have an order",
  () =>
    playAll(script, async (storage, { shapes, pushed, acts, picks }) => {
      const graph = graphOf(shapes.slice(0, 4));
      const bucket = memoryBucket(() => world.now);
      const world: Simulation = new Simulation({
        sql: storage.sql,
        transaction: (run) => storage.transactionSync(run),
        bucket,
      });
      for (const { narKey, nar, sha256 } of graph.flat()) await bucket.put(narKey, nar, { sha256 });
      let start: State = new Map();
      for (const act of Array.from({ length: pushed }, (_, path) => push(path))) {
        await world.run([operation(graph, act, () => undefined)]);
        [[, start] = ["", start]] = perform(graph, start, act);
      }
      const outcomes: string[] = [];
      const operations = acts.map((act, index) =>
        operation(graph, act, (outcome) => {
          outcomes[index] = outcome;
        }),
      );
      await world.run(operations, { picks, faults: [] });
      const result = JSON.stringify([outcomes, await published(bucket, graph)]);
      const possible = new Set(orders(graph, start, acts).map((each) => JSON.stringify(each)));
      await telling(world, async () => expect(possible).toContain(result));
    }),
  TEST_TIMEOUT_MS,
);

function push(path: number): Act {
  return { isDeletion: false, path, build: 0, signer: 0 };
}

function operation(graph: readonly Builds[], act: Act, told: (outcome: string) => void): Operation {
  const build = buildAt(graph, act.path, act.build);
  const run: Operation["run"] = async ({ call }) => {
    try {
      await unwrap(() =>
        call((c) =>
          toResult(async () => {
            if (act.isDeletion) {
              await deletePath(c, build.hash, false);
              told("deleted");
            } else {
              told(await publish(c, signed(build.text, act.signer), "tester"));
            }
          }),
        ),
      );
    } catch (error) {
      if (!(error instanceof HttpError)) throw error;
      told(String(error.status));
    }
  };
  return { label: `${act.isDeletion ? "delete" : "publish"} ${build.hash}`, run };
}

/** All that may come of these, in any order. */
function orders(graph: readonly Builds[], start: State, acts: readonly Act[]): [string[], string[]][] {
  const results: [string[], string[]][] = [];
  const visit = (state: State, left: readonly number[], outcomes: readonly string[]) => {
    if (left.length === 0) results.push([[...outcomes], describeState(state, graph)]);
    for (const index of left) {
      for (const [outcome, next] of perform(graph, state, acts[index] as Act)) {
        const told = [...outcomes];
        told[index] = outcome;
        visit(
          next,
          left.filter((other) => other !== index),
          told,
        );
      }
    }
  };
  visit(
    start,
    acts.map((_, index) => index),
    [],
  );
  return results;
}

/** The outcomes that an operation may have, computed on a map. */
function perform(graph: readonly Builds[], state: State, act: Act): [string, State][] {
  const build = buildAt(graph, act.path, act.build);
  const { hash, info } = build;
  const stored = state.get(hash);
  const next = new Map(state);
  if (act.isDeletion) {
    if (stored === undefined) return [["404", state]];
    // A publication that refers to it and then fails is enough.
    const refused: [string, State] = ["409", state];
    const isReferred = [...state.values()].some(({ build }) => build.hash !== hash && refersTo(build, hash));
    if (isReferred) return [refused];
    next.delete(hash);
    return [["deleted", next], refused];
  }
  if (stored === undefined) {
    const isMissing = info.references.some(
      (reference) => !reference.startsWith(hash) && !state.has(reference.slice(0, 32)),
    );
    if (isMissing) return [["409", state]];
    next.set(hash, { build, signers: new Set([act.signer]) });
    return [["created", next]];
  }
  if (stored.build.info.narHash.bytes.toHex() !== info.narHash.bytes.toHex()) {
    return [["kept-existing", state]];
  }
  const signers = new Set([...stored.signers, act.signer]);
  next.set(hash, { ...stored, signers });
  return [[signers.size === stored.signers.size ? "unchanged" : "updated", next]];
}

function describeState(state: State, graph: readonly Builds[]): string[] {
  return graph.flatMap(([{ hash }]) => {
    const stored = state.get(hash);
    if (stored === undefined) return [];
    return [`${hash} ${stored.build.narKey} ${[...stored.signers].sort()}`];
  });
}

async function published(bucket: R2Bucket, graph: readonly Builds[]): Promise<string[]> {
  const result: string[] = [];
  for (const [{ hash, key }] of graph) {
    const text = await (await bucket.get(key))?.text();
    if (text === undefined) continue;
    const signers = [...text.matchAll(/^Sig: signer-(\d)/gm)].map(([, signer]) => signer).sort();
    result.push(`${hash} ${/^URL: (.*)$/m.exec(text)?.[1]} ${signers}`);
  }
  return result;
}

function refersTo({ info }: Build, hash: string): boolean {
  return info.references.some((reference) => reference.startsWith(hash));
}
