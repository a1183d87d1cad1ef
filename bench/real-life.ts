// `npm run bench:load`: 64 connections that ask and push as real clients do, for minutes. The first answer that is
// not the expected one ends it with an error.
import { rmSync } from "node:fs";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setInterval } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Ask, newClients } from "./clients.ts";
import { VARIABLES } from "./contest.ts";
import { ask, MAX_CONNECTIONS, newAgent } from "./load.ts";
import { usageOf } from "./processes.ts";
import { copyProject } from "./project.ts";
import { type Server, startServer } from "./server.ts";
import { formatTable, percentile } from "./table.ts";

const MAX_MINUTES = 60;
const FIRST_PUSHES = 50;
const SAMPLE_MS = 1_000;
const MB = 1_000_000;

/** Resident memory of the server. */
interface Sample {
  /** Since the start. */
  readonly seconds: number;
  readonly bytes: number;
}

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "5" },
    connections: { type: "string", default: String(MAX_CONNECTIONS) },
    control: { type: "boolean", default: false },
  },
});
const minutes = Number(values.minutes);
const connections = Number(values.connections);
if (!(minutes > 0 && minutes <= MAX_MINUTES && connections >= 1 && connections <= MAX_CONNECTIONS)) {
  console.error(
    "usage: npm run bench:load -- [--minutes N, up to 60 (5)] [--connections N, up to 64 (64)] [--control: the ten lines instead]",
  );
  process.exit(2);
}

const interrupt = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.on(signal, () => interrupt.abort(new Error(signal)));
const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));

const project = await copyProject(dir);
const config = values.control ? "bench/baseline.toml" : "wrangler.toml";
const own = join(dir, "worker");
await mkdir(own);
const server = await startServer(join(project, config), own, interrupt.signal, VARIABLES);
try {
  await load(server);
} catch (error) {
  console.error(error instanceof Error ? error.message : error, `\n${server.output()}`);
  process.exitCode = 1;
} finally {
  await server.stop();
}

async function load({ url, group, output }: Server): Promise<void> {
  const agent = newAgent(connections);
  const clients = newClients();
  const times = new Map<string, number[]>();
  const timed: Ask = async (kind, question) => {
    const began = performance.now();
    await ask(agent, url, question, interrupt.signal);
    const known = times.get(kind) ?? [];
    times.set(kind, known);
    known.push(performance.now() - began);
  };
  const samples: Sample[] = [];
  const over = new AbortController();
  try {
    for (let count = 0; count < FIRST_PUSHES; count++) await clients.push(timed);
    times.clear();
    const began = performance.now();
    const seconds = () => (performance.now() - began) / 1000;
    const connection = async () => {
      while (seconds() < minutes * 60) await clients.act(timed);
    };
    watchMemory(group, seconds, samples, over.signal);
    await Promise.all(Array.from({ length: connections }, connection));
    report(times, samples, seconds());
    if (output() !== "")
      throw new Error("the server has logged something, which it only does of what is wrong:");
  } finally {
    over.abort();
    agent.destroy();
  }
}

/** Adds a sample every second until the signal. */
async function watchMemory(
  group: number,
  seconds: () => number,
  samples: Sample[],
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const _ of setInterval(SAMPLE_MS, undefined, { signal })) {
      const usage = usageOf(group);
      if (usage !== undefined) samples.push({ seconds: seconds(), bytes: usage.rssBytes });
    }
  } catch (error) {
    // Its end.
    if (!signal.aborted) throw error;
  }
}

function report(times: ReadonlyMap<string, number[]>, samples: readonly Sample[], seconds: number): void {
  const rows = [...times]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([kind, each]) => [
      kind,
      String(each.length),
      ...[0.5, 0.99, 1].map((part) => percentile(each, part).toFixed(0)),
    ]);
  console.log(formatTable(["", "requests", "p50, ms", "p99, ms", "max, ms"], rows));
  const requests = [...times.values()].reduce((sum, { length }) => sum + length, 0);
  console.log(
    `\n${requests.toLocaleString("en")} requests in ${seconds.toFixed(0)} s over ${connections} connections, ${(requests / seconds).toFixed(0)} a second: every answer as expected.`,
  );
  console.log(memoryText(samples));
}

/** The quarters show whether it levels off; the slope is that of the second half, when caches and heaps are full. */
function memoryText(samples: readonly Sample[]): string {
  if (samples.length < 8) return "Memory: too short to tell, or no /proc on this machine.";
  const quarters = [0, 1, 2, 3].map((quarter) => {
    const part = samples.slice((quarter * samples.length) / 4, ((quarter + 1) * samples.length) / 4);
    return percentile(
      part.map(({ bytes }) => bytes),
      0.5,
    );
  });
  const perMinute = slope(samples.slice(samples.length / 2)) * 60;
  return `Memory of workerd (resident, all processes), median of each quarter of the time: ${quarters.map((bytes) => (bytes / MB).toFixed(0)).join(", ")} MB; in the second half ${(perMinute / MB).toFixed(1)} MB a minute.`;
}

/** Bytes per second: the line of least squares. */
function slope(samples: readonly Sample[]): number {
  const mean = (of: (sample: Sample) => number) =>
    samples.reduce((sum, sample) => sum + of(sample), 0) / samples.length;
  const time = mean(({ seconds }) => seconds);
  const size = mean(({ bytes }) => bytes);
  return (
    mean(({ seconds, bytes }) => (seconds - time) * (bytes - size)) /
    mean(({ seconds }) => (seconds - time) ** 2)
  );
}
