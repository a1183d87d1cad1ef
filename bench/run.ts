// `npm run bench`: this Worker against one of ten lines and against nginx, in turns. bench/README.md
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { NAMES, SUBJECTS, type Subject, startContest } from "./contest.ts";
import { measure } from "./measure.ts";
import { SCENARIOS } from "./scenarios/index.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { type Startup, startupOf } from "./startup.ts";
import { formatFigures } from "./table.ts";

const USAGE = `usage: npm run bench -- [options]

  --rounds N         how often each scenario is measured (5)
  --seconds N        how long each time, where that is a matter of choice (2)
  --only NAMES       some scenarios only, with commas between: ${SCENARIOS.map(({ id }) => id).join(", ")}
  --markdown FILE    write the table to FILE
  --json FILE        write all figures to FILE
  --control          the ten lines against themselves: what the machine's noise alone makes of the ratios
  --answers          the ten lines with this Worker's headers and texts in its place: what those alone cost
`;

const MAX_ROUNDS = 100;
const MAX_SECONDS = 60;

interface Options {
  readonly rounds: number;
  readonly seconds: number;
  readonly scenarios: readonly Scenario[];
  readonly markdown: string | undefined;
  readonly json: string | undefined;
  readonly subject: Subject;
}

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

/** `undefined` for `--help`. Throws on a mistake. */
function readOptions(args: string[]): Options | undefined {
  const { values } = parseArgs({
    args,
    options: {
      rounds: { type: "string", default: "5" },
      seconds: { type: "string", default: "2" },
      only: { type: "string" },
      markdown: { type: "string" },
      json: { type: "string" },
      control: { type: "boolean", default: false },
      answers: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) return undefined;
  const positive = (name: "rounds" | "seconds", maximum: number) => {
    const value = Number(values[name]);
    if (value > 0 && value <= maximum && (name === "seconds" || Number.isInteger(value))) return value;
    throw new Error(`--${name}: must be a number from 1 to ${maximum}`);
  };
  if (values.control && values.answers) throw new Error("--control and --answers: one of the two");
  const only = values.only?.split(",");
  for (const name of only ?? []) {
    if (!SCENARIOS.some(({ id }) => id === name)) throw new Error(`--only: there is no scenario ${name}`);
  }
  return {
    rounds: positive("rounds", MAX_ROUNDS),
    seconds: positive("seconds", MAX_SECONDS),
    scenarios: SCENARIOS.filter(({ id }) => only?.includes(id) ?? true),
    markdown: values.markdown,
    json: values.json,
    subject: values.control ? "control" : values.answers ? "answers" : "worker",
  };
}

async function bench(options: Options, dir: string, signal: AbortSignal): Promise<void> {
  const { rounds, seconds, subject } = options;
  const loadBefore = loadavg()[0] ?? 0;
  const contest = await startContest(dir, subject, signal);
  try {
    const notes: string[] = [];
    const present = new Set(contest.contenders.map(({ name }) => name));
    if (!present.has("nginx")) notes.push("There is no nginx on this machine: not compared with it.");
    const scenarios = options.scenarios.filter(({ title, impossible, contenders }) => {
      if (impossible !== undefined) notes.push(`Left out: ${title}, because ${impossible}.`);
      // A substitute for this Worker has no API.
      return impossible === undefined && (subject === "worker" || contenders.length > 1);
    });
    const tell = (what: string) => process.stderr.write(`${what}\n`);
    const figures = await measure(scenarios, contest, { rounds, seconds }, tell);
    tell("startup");
    const startup = subject === "worker" ? await startupOf(join(dir, "project"), dir) : undefined;
    const machine = { cpu: cpus()[0]?.model ?? "unknown", cores: cpus().length, node: process.version };
    const worker = SUBJECTS[subject].title;
    const text = [
      formatFigures(figures, worker),
      "",
      `Ratios: minimum, **median** and maximum of ${rounds} rounds; 1.00 is as fast, below is slower. Speeds and CPU: medians; CPU is of ${NAMES.map((name) => (name === "worker" ? worker : name === "baseline" ? "ten lines" : name)).join(" / ")}.`,
      ...notes,
      ...(startup === undefined ? [] : [startupText(startup)]),
      `From start to first answer under wrangler: ${worker} ${contest.startupMs.worker.toFixed(0)} ms, ten lines ${contest.startupMs.baseline.toFixed(0)} ms.`,
      `Machine: ${machine.cpu}, ${machine.cores} cores, Node ${machine.node}; load average before the start: ${loadBefore.toFixed(1)}.`,
      "",
    ].join("\n");
    console.log(text);
    if (options.markdown !== undefined) await writeFile(options.markdown, text);
    if (options.json === undefined) return;
    const { startupMs } = contest;
    const date = new Date().toISOString();
    const json = { date, machine, loadBefore, rounds, seconds, subject, startup, startupMs, figures };
    await writeFile(options.json, `${JSON.stringify(json, undefined, 2)}\n`);
  } finally {
    await contest.stop();
  }
}

function startupText({ bundleBytes, gzipBytes, cpuMs }: Startup): string {
  return `Bundle: ${bundleBytes.toLocaleString("en")} bytes, gzipped ${gzipBytes.toLocaleString("en")}. JavaScript at startup: ${cpuMs.toFixed(1)} ms.`;
}
