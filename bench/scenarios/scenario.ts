// A scenario: its requests, its contenders, and the unit of its speed.
import { type Contender, type Contest, NAMES, type Name, PEERS } from "../contest.ts";
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
  /** The time to run, if the scenario has no fixed one. */
  readonly seconds: number;
}

export interface Scenario {
  /** For `--only`. */
  readonly id: string;
  readonly title: string;
  /** Its contenders. */
  readonly contenders: readonly Name[];
  /** Turns of each in a round: with several, other load of the machine affects all of them. */
  readonly turns: number;
  readonly measures: readonly Measure[];
  /** Why it cannot be measured on this machine. */
  readonly impossible?: string | undefined;
  /** Before the first round. */
  readonly prepare?: (contest: Contest) => Promise<void>;
  /** Its own preparation is not part of the time that it returns. */
  readonly run: (contender: Contender, turn: Turn, signal: AbortSignal) => Promise<Throughput>;
  /** After the last round. */
  readonly finish?: () => void;
}

/** Peers take part where they were started. */
export const ALL: readonly Name[] = [...NAMES, ...PEERS];
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
