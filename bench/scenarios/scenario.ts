// What a scenario is: who is asked what, and how its speed is told.
import type { Contender, Contest, Name } from "../contest.ts";
import type { Throughput } from "../load.ts";

export interface Measure {
  /** After the scenario's title, where it has several. */
  readonly label?: string;
  readonly unit: "req/s" | "MB/s" | "ms" | "s";
  readonly of: (throughput: Throughput) => number;
}

export interface Turn {
  /** Counted from 0. */
  readonly round: number;
  /** How long to ask, where that is a matter of choice. */
  readonly seconds: number;
}

export interface Scenario {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  /** Who can be asked this. */
  readonly contenders: readonly Name[];
  /** How often they take turns in a round: what else the machine does at the time then meets all of them. */
  readonly turns: number;
  readonly measures: readonly Measure[];
  /** Why it cannot be measured on this machine. */
  readonly impossible?: string | undefined;
  /** Before the first round. */
  readonly prepare?: (contest: Contest) => Promise<void>;
  /** What it prepares itself is not in the time that it returns. */
  readonly run: (contender: Contender, turn: Turn, signal: AbortSignal) => Promise<Throughput>;
  /** After the last round. */
  readonly finish?: () => void;
}

export const ALL: readonly Name[] = ["worker", "baseline", "nginx"];
export const WORKERS: readonly Name[] = ["worker", "baseline"];

export const REQUEST_RATE: Measure = {
  unit: "req/s",
  of: ({ requests, seconds }) => requests / seconds,
};
export const BYTE_RATE: Measure = {
  unit: "MB/s",
  of: ({ bytes, seconds }) => bytes / 1e6 / seconds,
};
/** Of the answers to a few requests: their mean. */
export const FIRST_BYTE: Measure = {
  label: "to the first byte",
  unit: "ms",
  of: ({ firstByteMs }) => firstByteMs.reduce((sum, each) => sum + each, 0) / firstByteMs.length,
};
export const DURATION: Measure = { unit: "s", of: ({ seconds }) => seconds };
