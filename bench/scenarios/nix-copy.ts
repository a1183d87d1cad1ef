// A real `nix copy` of a closure with every legal oddity, in and out, including Nix's own time.
import { newClient, nixVersion, removeScratch } from "../../test/real-nix/client.ts";
import { generateClosure } from "../../test/real-nix/closure.ts";
import { type Contender, PEERS, PUSH_TOKEN } from "../contest.ts";
import type { Throughput } from "../load.ts";
import { ALL, DURATION, type Scenario, WORKERS } from "./scenario.ts";

const PATHS = 300;

interface Closure {
  readonly top: string;
  /** Copies it to a store and returns the seconds. */
  readonly copyTo: (store: string) => Promise<number>;
}

const closures = new Map<number, Promise<Closure>>();
/** Where each closure is: a pair of contender and top path. */
const stored = new Set<string>();

/** A new one in each round: Nix would not push an existing one again. */
function closureOf(round: number): Promise<Closure> {
  const closure = closures.get(round) ?? newClosure();
  closures.set(round, closure);
  return closure;
}

async function newClosure(): Promise<Closure> {
  const client = newClient({ token: PUSH_TOKEN });
  const top = await generateClosure(client, PATHS);
  return { top, copyTo: (store) => timed(() => client.nix("copy", "--to", store, top)) };
}

async function copyIn({ name, url, pushTo }: Contender, { top, copyTo }: Closure): Promise<number> {
  const seconds = await copyTo(pushTo ?? url);
  stored.add(`${name} ${top}`);
  return seconds;
}

const shared = {
  turns: 1,
  measures: [DURATION],
  impossible: nixVersion === undefined ? "there is no nix on PATH" : undefined,
  finish: removeScratch,
};

export const NIX_COPY: readonly Scenario[] = [
  {
    ...shared,
    id: "nix-copy-in",
    title: `nix copy of ${PATHS} paths in`,
    contenders: [...WORKERS, ...PEERS],
    run: async (contender, { round }) => throughput(await copyIn(contender, await closureOf(round))),
  },
  {
    ...shared,
    id: "nix-copy-out",
    title: `nix copy of ${PATHS} paths out`,
    contenders: ALL,
    run: async (contender, { round }) => {
      const closure = await closureOf(round);
      if (!stored.has(`${contender.name} ${closure.top}`)) await copyIn(contender, closure);
      const client = newClient();
      const copy = () => client.nix("copy", "--no-check-sigs", "--from", contender.url, closure.top);
      return throughput(await timed(copy));
    },
  },
];

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** Counted in paths: Nix decides on the number of requests for each. */
function throughput(seconds: number): Throughput {
  return { requests: PATHS, bytes: 0, seconds, firstByteMs: [] };
}
