// `npm run bench:gc`: the cost of collecting a cache of which half is dead, and of the sweep of NARs after it, at
// three sizes. Needs Linux.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory, resetPeak, workerds } from "../test/memory/workerd.ts";
import { type Server, startServer } from "./server.ts";

const SIZES = [10_000, 50_000, 200_000];
/** Paths that are indexed in one call. */
const FILL = 5_000;

type Spent = Record<"class_a" | "class_b" | "deletes" | "rows_read" | "rows_written", number>;

interface Sweep {
  readonly deletedNars: number;
  readonly spent: Spent;
}

interface Report {
  readonly done: boolean;
  readonly problem?: string;
  readonly phase: string;
  readonly dead: { readonly paths: number };
  readonly removed: { readonly paths: number };
  readonly spent: Spent;
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => interrupt.abort(new Error(signal)));

console.log(
  "| paths, half of them dead | | s | longest step, ms | µs per path | class A | class B | deletes | rows read per path | rows written per path | peak memory, MB more than before |\n|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
);
for (const size of SIZES) await measure(size);

async function measure(size: number): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
  try {
    const server = await startServer(join(import.meta.dirname, "gc.toml"), dir, interrupt.signal);
    try {
      await ask(server, "/prepare");
      for (let from = 0; from < size; from += FILL) await ask(server, `/fill?from=${from}&to=${from + FILL}`);
      await collect(server, size, true);
      await collect(server, size, false);
      await sweepNars(server, size);
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A dry run only marks; the other one marks again, and sweeps. */
async function collect(server: Server, size: number, isDry: boolean): Promise<void> {
  let report: Report | undefined;
  await measured(server, size, isDry ? "mark (dry run)" : "mark and sweep", async (isFirst) => {
    report = (await (await ask(server, `/collect?dry=${isDry}&first=${isFirst}`)).json()) as Report;
    if (report.problem !== undefined) throw new Error(report.problem);
    // Retention counts from its beginning.
    return report.done ? report.spent : undefined;
  });
  const went = isDry ? report?.dead.paths : report?.removed.paths;
  if (went !== size / 2) throw new Error(`${went} of ${size} paths are dead, not half`);
}

/** The NARs of what has gone, a grace period later. */
async function sweepNars(server: Server, size: number): Promise<void> {
  const total: Spent = { class_a: 0, class_b: 0, deletes: 0, rows_read: 0, rows_written: 0 };
  let went = 0;
  await measured(server, size, "sweep of NARs", async () => {
    const { deletedNars, spent } = (await (await ask(server, "/sweep")).json()) as Sweep;
    for (const name of Object.keys(total) as (keyof Spent)[]) total[name] += spent[name];
    went += deletedNars;
    return deletedNars === 0 ? total : undefined;
  });
  if (went !== size / 2) throw new Error(`${went} NARs of ${size} paths are gone, not half`);
}

/** Does steps until the end, and prints a row with their total cost. */
async function measured(
  server: Server,
  size: number,
  name: string,
  step: (isFirst: boolean) => Promise<Spent | undefined>,
): Promise<void> {
  const pids = workerds(server.group);
  resetPeak(pids);
  const before = memory(pids, "now");
  const times: number[] = [];
  let spent: Spent | undefined;
  for (let isFirst = true; spent === undefined; isFirst = false) {
    const began = performance.now();
    spent = await step(isFirst);
    times.push(performance.now() - began);
  }
  const seconds = times.reduce((sum, time) => sum + time, 0) / 1000;
  const cells = [
    size.toLocaleString("en"),
    name,
    seconds.toFixed(1),
    Math.max(...times).toFixed(0),
    ((seconds * 1e6) / size).toFixed(0),
    spent.class_a,
    spent.class_b,
    spent.deletes,
    (spent.rows_read / size).toFixed(1),
    (spent.rows_written / size).toFixed(1),
    ((memory(pids, "peak") - before) / 1e6).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

async function ask({ url }: Server, path: string): Promise<Response> {
  const response = await fetch(url + path, { signal: interrupt.signal });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
