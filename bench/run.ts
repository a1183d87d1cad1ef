// `npm run bench`: this Worker against one of ten lines, both under `wrangler dev`, in turns. bench/README.md
import { rmSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { applyLoad, MAX_CONNECTIONS, MAX_SECONDS, type Question, type Throughput } from "./load.ts";
import { fillBucket, makeNar, makeNarInfo, missingNarInfoKey } from "./objects.ts";
import { copyProject } from "./project.ts";
import { type Server, startServer } from "./server.ts";
import { figuresOf, formatTable, type Round } from "./table.ts";

const USAGE = `usage: npm run bench -- [options]

  --rounds N         how often each request is measured on both Workers (10)
  --seconds N        how long each time (3)
  --connections N    how many requests are under way at once (8)
  --json FILE        write all figures to FILE
  --control          the ten lines against themselves: what the machine's noise alone makes of the ratios
`;

const MAX_ROUNDS = 100;
const WARM_UP_SECONDS = 2;
const NAR_BYTES = 10_000_000;
/** A NAR fills the pipe: more of them at once measure the load generator. */
const NAR_CONNECTIONS = 2;
const NARINFOS = 200;
/** How often the Workers take turns in a round: what else the machine does at the time then meets both. */
const TURNS = 8;
/** Of even turns; odd ones begin with the other. */
const ORDER = ["worker", "baseline"] as const;

/** One kind of request, and how its speed is told. */
interface Scenario {
  readonly name: string;
  readonly unit: string;
  readonly question: Question;
  readonly connections: number;
  readonly rate: (throughput: Throughput) => number;
}

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly connections: number;
  readonly json: string | undefined;
  readonly isControl: boolean;
}

type Servers = Readonly<Record<keyof Round, Server>>;

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  let options: Options | undefined;
  try {
    options = readOptions(args);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
  }
  if (options === undefined) {
    process.stderr.write(USAGE);
    return 2;
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => interrupt.abort(new Error(`stopped by ${signal}`)));
  }
  const dir = await mkdtemp(join(tmpdir(), "nix-cache-bench-"));
  // Not in `finally`: while a bucket is filled, the simulator in this process ends it on Ctrl-C.
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  try {
    await bench(options, dir, interrupt.signal);
    return 0;
  } catch (error) {
    const cause: unknown = interrupt.signal.aborted ? interrupt.signal.reason : error;
    console.error(cause instanceof Error ? cause.message : cause);
    return interrupt.signal.aborted ? 130 : 1;
  }
}

/** `undefined` where only the usage is asked for. Throws on a mistake. */
function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "10" },
      seconds: { type: "string", default: "3" },
      connections: { type: "string", default: "8" },
      json: { type: "string" },
      control: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const positive = (name: "rounds" | "seconds" | "connections", maximum: number) => {
    const value = Number(values[name]);
    if (value > 0 && value <= maximum && (name === "seconds" || Number.isInteger(value))) return value;
    throw new Error(`--${name}: must be a number from 1 to ${maximum}`);
  };
  return {
    rounds: positive("rounds", MAX_ROUNDS),
    seconds: positive("seconds", MAX_SECONDS),
    connections: positive("connections", MAX_CONNECTIONS),
    json: values.json,
    isControl: values.control,
  };
}

async function bench(options: Options, dir: string, signal: AbortSignal): Promise<void> {
  const narInfos = Array.from({ length: NARINFOS }, makeNarInfo);
  const nar = makeNar(NAR_BYTES);
  const project = await copyProject(dir);
  const baselineConfig = join(project, "bench/baseline.toml");
  const start = async (name: string, config: string): Promise<Server> => {
    const own = join(dir, name);
    await mkdir(own);
    await fillBucket(config, join(own, "state"), [...narInfos, nar]);
    return startServer(config, own, signal);
  };
  const worker = await start("worker", options.isControl ? baselineConfig : join(project, "wrangler.toml"));
  try {
    const baseline = await start("baseline", baselineConfig);
    try {
      const servers = { worker, baseline };
      const scenarios = scenariosOf(
        narInfos.map(({ key }) => key),
        nar.key,
        options,
      );
      await report(options, servers, await measure(scenarios, servers, options, signal));
    } finally {
      await baseline.stop();
    }
  } finally {
    await worker.stop();
  }
}

function scenariosOf(narInfoKeys: readonly string[], narKey: string, options: Options): Scenario[] {
  let turn = 0;
  const small = {
    unit: "req/s",
    connections: options.connections,
    rate: ({ requests, seconds }: Throughput) => requests / seconds,
  };
  return [
    {
      ...small,
      name: "narinfo, hit",
      question: { method: "GET", path: () => `/${narInfoKeys[turn++ % narInfoKeys.length]}`, status: 200 },
    },
    {
      ...small,
      name: "narinfo, miss",
      question: { method: "GET", path: () => `/${missingNarInfoKey()}`, status: 404 },
    },
    {
      name: `NAR of ${NAR_BYTES / 1e6} MB`,
      unit: "MB/s",
      question: { method: "GET", path: () => `/${narKey}`, status: 200, bodyBytes: NAR_BYTES },
      connections: NAR_CONNECTIONS,
      rate: ({ bytes, seconds }) => bytes / 1e6 / seconds,
    },
  ];
}

type Measured = ReadonlyMap<Scenario, Round[]>;

/** Every scenario once in every round, in short turns: A B, B A, A B... */
async function measure(
  scenarios: readonly Scenario[],
  servers: Servers,
  options: Options,
  signal: AbortSignal,
): Promise<Measured> {
  const load = async ({ name, question, connections }: Scenario, which: keyof Round, seconds: number) => {
    const server = servers[which];
    try {
      return await applyLoad(server.url, question, { connections, seconds }, signal);
    } catch (error) {
      throw new Error(`${name}, ${which}: ${String(error)}\n${server.output()}`, { cause: error });
    }
  };
  for (const scenario of scenarios) {
    for (const which of ORDER) await load(scenario, which, WARM_UP_SECONDS);
  }
  const measured = new Map(scenarios.map((scenario) => [scenario, [] as Round[]]));
  for (let round = 0; round < options.rounds; round++) {
    process.stderr.write(`round ${round + 1} of ${options.rounds}\n`);
    for (const [scenario, rounds] of measured) {
      const turns: Record<keyof Round, Throughput[]> = { worker: [], baseline: [] };
      for (let turn = 0; turn < TURNS; turn++) {
        for (const which of (round + turn) % 2 === 0 ? ORDER : ORDER.toReversed()) {
          turns[which].push(await load(scenario, which, options.seconds / TURNS));
        }
      }
      rounds.push({
        worker: scenario.rate(sum(turns.worker)),
        baseline: scenario.rate(sum(turns.baseline)),
      });
    }
  }
  return measured;
}

function sum(parts: readonly Throughput[]): Throughput {
  return parts.reduce((a, b) => ({
    requests: a.requests + b.requests,
    bytes: a.bytes + b.bytes,
    seconds: a.seconds + b.seconds,
  }));
}

async function report(options: Options, servers: Servers, measured: Measured): Promise<void> {
  const names = { worker: options.isControl ? "ten lines again" : "nix-cache", baseline: "ten lines" };
  const figures = [...measured].map(([{ name, unit }, rounds]) => figuresOf(name, unit, rounds));
  const startupMs = { worker: servers.worker.startupMs, baseline: servers.baseline.startupMs };
  const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
  console.log(formatTable(names, figures));
  console.log(
    [
      "",
      `The ratio of ${names.worker} to ${names.baseline} over ${options.rounds} rounds of ${options.seconds} s, and the median speed of each.`,
      `Startup until the first answer: ${names.worker} ${startupMs.worker.toFixed(0)} ms, ${names.baseline} ${startupMs.baseline.toFixed(0)} ms.`,
      `Machine: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}.`,
    ].join("\n"),
  );
  if (options.json === undefined) return;
  const { rounds, seconds, connections } = options;
  const settings = { rounds, seconds, connections, narConnections: NAR_CONNECTIONS };
  const json = { date: new Date().toISOString(), names, machine, settings, startupMs, figures };
  await writeFile(options.json, `${JSON.stringify(json, undefined, 2)}\n`);
}
