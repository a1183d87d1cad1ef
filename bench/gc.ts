// `npm run bench:gc`: what a collection takes of which half of the cache is dead, at three sizes. Needs Linux.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { memory, resetPeak, workerds } from "./memory.ts";
import { type Server, startServer } from "./server.ts";

const SIZES = [10_000, 50_000, 200_000];
/** Paths that are indexed in one call. */
const FILL = 5_000;

interface Report {
  readonly done: boolean;
  readonly problem?: string;
  readonly phase: string;
  readonly dead: { readonly paths: number };
  readonly removed: { readonly paths: number };
  readonly spent: Record<"classA" | "classB" | "deletes" | "rowsRead" | "rowsWritten", number>;
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
    } finally {
      await server.stop();
    }
  } finally {
    await rm(dir, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A dry run only marks; the other one marks again, and sweeps. */
async function collect(server: Server, size: number, isDry: boolean): Promise<void> {
  const pids = workerds(server.group);
  resetPeak(pids);
  const before = memory(pids, "now");
  const times: number[] = [];
  let report: Report | undefined;
  for (let isFirst = true; !report?.done; isFirst = false) {
    const began = performance.now();
    report = (await (await ask(server, `/collect?dry=${isDry}&first=${isFirst}`)).json()) as Report;
    times.push(performance.now() - began);
    if (report.problem !== undefined) throw new Error(report.problem);
  }
  const went = isDry ? report.dead.paths : report.removed.paths;
  if (went !== size / 2) throw new Error(`${went} of ${size} paths are dead, not half`);
  const seconds = times.reduce((sum, time) => sum + time, 0) / 1000;
  const { spent } = report;
  const cells = [
    size.toLocaleString("en"),
    isDry ? "mark (dry run)" : "mark and sweep",
    seconds.toFixed(1),
    Math.max(...times).toFixed(0),
    ((seconds * 1e6) / size).toFixed(0),
    spent.classA,
    spent.classB,
    spent.deletes,
    (spent.rowsRead / size).toFixed(1),
    (spent.rowsWritten / size).toFixed(1),
    ((memory(pids, "peak") - before) / 1e6).toFixed(0),
  ];
  console.log(`| ${cells.join(" | ")} |`);
}

async function ask({ url }: Server, path: string): Promise<Response> {
  const response = await fetch(url + path, { signal: interrupt.signal });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response;
}
