// `npm run bench:peers`: this Worker beside other binary caches, the ten lines and nginx. bench/README.md
import { rmSync } from "node:fs";
import { mkdtemp, writeFile } from "node:fs/promises";
import { cpus, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { nixVersion } from "../../test/real-nix/client.ts";
import { type Contest, type Name, startContest } from "../contest.ts";
import { interrupt } from "../interrupt.ts";
import { measure } from "../measure.ts";
import { usageOf } from "../processes.ts";
import { SCENARIOS } from "../scenarios/index.ts";
import { ABSENT } from "./absent.ts";
import { ncpsVersion, startNcps } from "./ncps.ts";
import { type Stored, storedBelow } from "./stored.ts";
import { formatPeers, type Held } from "./table.ts";

const READS = ["narinfo-hit", "narinfo-miss", "nar-10", "nar-200"];
const COPIES = ["nix-copy-in", "nix-copy-out"];
const MB = 1e6;

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    seconds: { type: "string", default: "2" },
    markdown: { type: "string" },
  },
});
const plan = { rounds: Number(values.rounds), seconds: Number(values.seconds) };
if (!(Number.isInteger(plan.rounds) && plan.rounds > 0 && plan.seconds > 0)) {
  console.error("--rounds: a whole number from 1; --seconds: a number above 0");
  process.exit(2);
}

const loadBefore = loadavg()[0] ?? 0;
const dir = await mkdtemp(join(tmpdir(), "nix-cache-peers-"));
process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
const contest = await startContest(dir, "worker", interrupt, { ncps: startNcps });
try {
  const text = `${[await compare(contest), "", ...notes(contest)].join("\n")}\n`;
  console.log(text);
  if (values.markdown !== undefined) await writeFile(values.markdown, text);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  await contest.stop();
}

/** The copies come last, so that the growth of each disk meanwhile is that of their closures. */
async function compare({ contenders }: Contest): Promise<string> {
  const memory = () => new Map(contenders.map(({ name, group }) => [name, megabytes(group)]));
  const disk = () => new Map(contenders.map(({ name, stored }) => [name, storedBelow(stored)]));
  const idle = memory();
  const reads = await measureOnly(READS);
  const before = disk();
  const copies = await measureOnly(COPIES);
  const after = disk();
  const atEnd = memory();
  const held = new Map<Name, Held>(
    contenders.map(({ name }) => {
      const grown = (of: keyof Stored) => {
        const copied = nixVersion !== undefined;
        return copied
          ? ((after.get(name)?.[of] ?? 0) - (before.get(name)?.[of] ?? 0)) / MB / plan.rounds
          : undefined;
      };
      const stored = { objects: grown("objects"), databases: grown("databases") };
      return [name, { idle: idle.get(name), after: atEnd.get(name), ...stored }];
    }),
  );
  return formatPeers(contenders, [...reads, ...copies], held);
}

function measureOnly(ids: readonly string[]) {
  const scenarios = SCENARIOS.filter(({ id, impossible }) => ids.includes(id) && impossible === undefined);
  return measure(scenarios, contest, plan, (what) => process.stderr.write(`${what}\n`));
}

function megabytes(group: number): number | undefined {
  const bytes = usageOf(group)?.rssBytes;
  return bytes === undefined ? undefined : bytes / MB;
}

function notes({ contenders }: Contest): string[] {
  const present = new Set(contenders.map(({ name }) => name));
  const missing = (name: string, reason: string) => `NOT COMPARED: ${name}: ${reason}.`;
  return [
    `Median (minimum–maximum) of ${plan.rounds} rounds.`,
    ...(present.has("nginx") ? [] : [missing("nginx", "it is not on this machine")]),
    ...(present.has("ncps") ? [] : [missing("ncps", "neither NCPS_BIN nor PATH has it")]),
    ...(nixVersion === undefined ? [missing("nix copy", "neither NIX_BIN nor PATH has a nix")] : []),
    ...ABSENT.map(({ name, reason }) => missing(name, reason)),
    `Machine: ${cpus()[0]?.model ?? "unknown"}, ${cpus().length} cores, Node ${process.version}, Nix ${nixVersion ?? "–"}, ${ncpsVersion() ?? "no ncps"}; load average before the start: ${loadBefore.toFixed(1)}.`,
  ];
}
