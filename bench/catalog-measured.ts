// Measures requests to the Worker of catalog-worker.ts, and holds what they cost against their budgets.
import { BUDGETS, type Budget, type Cost, excess, type Operation } from "../test/budgets/budgets.ts";
import { memory, resetPeak, workerds } from "../test/memory/workerd.ts";
import type { AlarmReport, Report, Spent } from "./catalog-report.ts";
import type { Server } from "./server.ts";

const MB = 1e6;
/** A request is repeated so often, or until it has taken so long. */
const ROUNDS = 5;
const ROUNDS_MS = 4_000;
const POLL_MS = 200;
const SETTLED_MS = 4_000;
/** An alarm that is due later is that of a grace period. */
const LATER_MS = 120_000;
/** After so long without work, a job may be over. */
const IDLE_S = 5;
/** The alarm after some pushes, which settles them and reads their NARs, stays below these; a step of a job does not. */
const IDLE = { rowsRead: 1000, rowsWritten: 100, operations: 20 };

export interface Request {
  readonly name: string;
  readonly operation: Operation;
  readonly units?: number;
  readonly status: number | readonly number[];
  /** The status of the answer, read to its end. */
  readonly send: (round: number) => Promise<number>;
  /** It changes what it costs: it is sent once. */
  readonly isOnce?: boolean;
  /** It is sent once before it is counted, as one of many in a row. */
  readonly isOneOfMany?: boolean;
}

export interface Measured {
  readonly name: string;
  readonly status: number;
  /** The median. */
  readonly ms: number;
  /** The most. */
  readonly cost: Cost;
  /** The least, above what workerd had before: the garbage of earlier work is part of it. */
  readonly megabytes: number;
  /** What is beyond its budget, in words. */
  readonly excess: readonly string[];
}

export async function measure(server: Server, request: Request): Promise<Measured> {
  const { name, operation, units = 0, send, isOnce = false, isOneOfMany = false } = request;
  const pids = workerds(server.group);
  const times: number[] = [];
  const megabytes: number[] = [];
  if (isOneOfMany) await send(-1);
  // The first request of an object is that which makes it.
  if (operation !== "firstRequest") await report(server);
  let cost: Cost = { rowsRead: 0, rowsWritten: 0, classA: 0, classB: 0, calls: 0 };
  let status = 0;
  const began = performance.now();
  for (let round = 0; round < (isOnce ? 1 : ROUNDS); round++) {
    if (performance.now() - began > ROUNDS_MS) break;
    resetPeak(pids);
    const before = memory(pids, "now");
    const start = performance.now();
    status = await send(round);
    times.push(performance.now() - start);
    megabytes.push(Math.max(0, memory(pids, "peak") - before) / MB);
    cost = most(cost, ownCost(await report(server)));
  }
  // Until the alarm that settles the pushes has gone off: another request would do its work.
  if (isOneOfMany) await new Promise((done) => setTimeout(done, SETTLED_MS));
  const measured = { name, status, ms: median(times), cost, megabytes: Math.min(...megabytes) };
  const wrongStatus = [request.status].flat().includes(status) ? [] : [`status ${status}`];
  return {
    ...measured,
    excess: [...wrongStatus, ...excess(operation, cost, units), ...tooLarge(operation, measured.megabytes)],
  };
}

function tooLarge(operation: Operation, megabytes: number): string[] {
  const budget: Budget = BUDGETS[operation];
  return megabytes <= budget.megabytes ? [] : [`${megabytes.toFixed(0)} MB, not ${budget.megabytes}`];
}

export interface Job {
  readonly name: string;
  readonly seconds: number;
  readonly alarms: number;
  readonly longestMs: number;
  /** The most of one alarm. */
  readonly cost: Cost;
  /** Of all alarms. */
  readonly total: Spent;
  readonly megabytes: number;
  /** Milliseconds of each push meanwhile. */
  readonly pushes: readonly number[];
  readonly excess: readonly string[];
}

/** Lets the alarms of a job go off until none is due soon, while `push` pushes again and again. */
export async function follow(
  server: Server,
  name: string,
  push: () => Promise<number>,
  maxSeconds: number,
): Promise<Job> {
  const pids = workerds(server.group);
  // What an alarm takes above what was there when it began. Garbage of the alarms before it is not its own.
  let megabytes = 0;
  resetPeak(pids);
  let before = memory(pids, "now");
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  const alarms: AlarmReport[] = [];
  const pushes: number[] = [];
  let isOver = false;
  let workedAt = 0;
  while (!isOver && seconds() < maxSeconds) {
    // A push may set an alarm of its own, so that there would be no end.
    const isIdle = seconds() - workedAt > IDLE_S;
    if (!isIdle) {
      const start = performance.now();
      await push();
      pushes.push(performance.now() - start);
    }
    await new Promise((done) => setTimeout(done, POLL_MS));
    const { alarms: more, dueMs, isInAlarm } = await report(server);
    alarms.push(...more.filter(hasWorked));
    if (isInAlarm || more.some(hasWorked)) workedAt = seconds();
    if (!isInAlarm) {
      megabytes = Math.max(megabytes, (memory(pids, "peak") - before) / MB);
      resetPeak(pids);
      before = memory(pids, "now");
    }
    isOver = isIdle && !isInAlarm && (dueMs === null || dueMs > LATER_MS);
    if (process.stderr.isTTY || process.env.BENCH_TELL) {
      console.error(`${name}: ${seconds().toFixed(0)} s, ${alarms.length} alarms, next in ${dueMs} ms`);
    }
  }
  // The calls of the pushes are not the alarm's.
  const costs = alarms.map(({ spent }) => ({ ...costOf(spent), calls: 0 }));
  const cost = costs.reduce(most, { rowsRead: 0, rowsWritten: 0, classA: 0, classB: 0, calls: 0 });
  const total = alarms.map(({ spent }) => spent).reduce(sum, undefined as Spent | undefined);
  return {
    ...{ name, seconds: seconds(), alarms: alarms.length, cost, megabytes, pushes },
    longestMs: Math.max(0, ...alarms.map(({ ms }) => ms)),
    total: total ?? { rowsRead: 0, rowsWritten: 0, classA: 0, classB: 0, deletes: 0, calls: 0 },
    excess: [
      ...(isOver ? [] : [`not done after ${maxSeconds} s`]),
      ...excess("alarm", cost),
      ...tooLarge("alarm", megabytes),
    ],
  };
}

function hasWorked({ spent: { rowsRead, rowsWritten, classA, classB } }: AlarmReport): boolean {
  return rowsRead > IDLE.rowsRead || rowsWritten > IDLE.rowsWritten || classA + classB > IDLE.operations;
}

async function report({ url, output }: Server): Promise<Report> {
  const answer = await fetch(`${url}/bench/spent`);
  if (!answer.ok) throw new Error(`/bench/spent: ${answer.status} ${await answer.text()}\n${output()}`);
  return (await answer.json()) as Report;
}

/** Without an alarm that went off meanwhile, such as that after a push. */
function ownCost({ spent, alarms }: Report): Cost {
  const own = costOf(spent);
  const rows = (of: "rowsRead" | "rowsWritten" | "classA" | "classB") =>
    alarms.reduce((left, alarm) => left - alarm.spent[of], own[of]);
  return {
    ...{ rowsRead: rows("rowsRead"), rowsWritten: rows("rowsWritten") },
    ...{ classA: rows("classA"), classB: rows("classB"), calls: own.calls },
  };
}

function costOf({ rowsRead, rowsWritten, classA, classB, calls }: Spent): Cost {
  return { rowsRead, rowsWritten, classA, classB, calls };
}

function most(a: Cost, b: Cost): Cost {
  return {
    rowsRead: Math.max(a.rowsRead, b.rowsRead),
    rowsWritten: Math.max(a.rowsWritten, b.rowsWritten),
    classA: Math.max(a.classA, b.classA),
    classB: Math.max(a.classB, b.classB),
    calls: Math.max(a.calls, b.calls),
  };
}

function sum(a: Spent | undefined, b: Spent): Spent {
  if (a === undefined) return b;
  const names = Object.keys(b) as (keyof Spent)[];
  return Object.fromEntries(names.map((name) => [name, a[name] + b[name]])) as unknown as Spent;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}
