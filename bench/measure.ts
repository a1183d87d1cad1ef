// The rounds: every scenario once in each, its contenders in turns.
import type { Contender, Contest, Name } from "./contest.ts";
import type { Throughput } from "./load.ts";
import { usageOf } from "./processes.ts";
import type { Scenario, Turn } from "./scenarios/scenario.ts";
import { type Figures, figuresOf, type Values } from "./table.ts";

export interface Plan {
  readonly rounds: number;
  /** The time of each contender in a round, if the scenario has no fixed one. */
  readonly seconds: number;
}

interface Asked extends Throughput {
  /** `undefined` if it is not available. */
  readonly cpuSeconds: number | undefined;
}

type Round = Partial<Record<Name, Asked>>;

const WARM_UP_SECONDS = 1;

/** Measures all scenarios and returns the rows of the table. `tell` receives the progress. */
export async function measure(
  scenarios: readonly Scenario[],
  contest: Contest,
  { rounds, seconds }: Plan,
  tell: (what: string) => void,
): Promise<Figures[]> {
  const measured = new Map(scenarios.map((scenario) => [scenario, [] as Round[]]));
  try {
    for (const scenario of scenarios) {
      tell(`preparing ${scenario.id}`);
      await scenario.prepare?.(contest);
      // Scenarios of few long turns need no warm-up.
      if (scenario.turns < 4) continue;
      for (const contender of contendersOf(scenario, contest)) {
        await run(scenario, contender, { round: -1, seconds: WARM_UP_SECONDS }, contest.signal);
      }
    }
    for (let round = 0; round < rounds; round++) {
      for (const [scenario, done] of measured) {
        tell(`round ${round + 1} of ${rounds}: ${scenario.id}`);
        done.push(await oneRound(scenario, contest, { round, seconds: seconds / scenario.turns }));
      }
    }
  } finally {
    for (const scenario of scenarios) scenario.finish?.();
  }
  return [...measured].flatMap(([scenario, done]) => rowsOf(scenario, done));
}

/** A B C, B C A, ...: the first place rotates. */
async function oneRound(scenario: Scenario, contest: Contest, turn: Turn): Promise<Round> {
  const contenders = contendersOf(scenario, contest);
  const sums: Round = {};
  for (let index = 0; index < scenario.turns; index++) {
    const first = (turn.round + index) % contenders.length;
    for (const contender of [...contenders.slice(first), ...contenders.slice(0, first)]) {
      const asked = await run(scenario, contender, turn, contest.signal);
      const sum = sums[contender.name];
      sums[contender.name] = sum === undefined ? asked : add(sum, asked);
    }
  }
  return sums;
}

async function run(
  scenario: Scenario,
  contender: Contender,
  turn: Turn,
  signal: AbortSignal,
): Promise<Asked> {
  signal.throwIfAborted();
  try {
    const before = usageOf(contender.group)?.cpuSeconds;
    const throughput = await scenario.run(contender, turn, signal);
    const after = usageOf(contender.group)?.cpuSeconds;
    const cpuSeconds = before === undefined || after === undefined ? undefined : after - before;
    return { ...throughput, cpuSeconds };
  } catch (error) {
    throw new Error(`${scenario.id}, ${contender.name}: ${String(error)}\n${contender.output()}`, {
      cause: error,
    });
  }
}

function contendersOf(scenario: Scenario, { contenders }: Contest): Contender[] {
  return contenders.filter(({ name }) => scenario.contenders.includes(name));
}

function add(a: Asked, b: Asked): Asked {
  return {
    requests: a.requests + b.requests,
    bytes: a.bytes + b.bytes,
    seconds: a.seconds + b.seconds,
    firstByteMs: [...a.firstByteMs, ...b.firstByteMs],
    cpuSeconds:
      a.cpuSeconds === undefined || b.cpuSeconds === undefined ? undefined : a.cpuSeconds + b.cpuSeconds,
  };
}

/** The processor time stands in the first of a scenario's rows. */
function rowsOf({ title, measures }: Scenario, rounds: readonly Round[]): Figures[] {
  const cpuMs = rounds.map((round) =>
    mapValues(round, ({ cpuSeconds, requests }) =>
      cpuSeconds === undefined ? undefined : (cpuSeconds * 1000) / requests,
    ),
  );
  return measures.map(({ label, unit, of }, index) =>
    figuresOf(
      label === undefined ? title : `${title}, ${label}`,
      unit,
      rounds.map((round) => mapValues(round, of)),
      index === 0 ? cpuMs : [],
    ),
  );
}

function mapValues(round: Round, of: (asked: Asked) => number | undefined): Values {
  return Object.fromEntries(Object.entries(round).map(([name, asked]) => [name, of(asked)])) as Values;
}
