/** What decides a history: whose turn it is, and what goes wrong when. */
import * as fc from "fast-check";

/** Faults of an operation of the bucket, and of its caller. */
const FAULTS = [
  /** It fails and has not happened. */
  "fail",
  /** R2 takes one write a second to a key: it has not happened. */
  "throttle",
  /** It happens, but its answer is lost. */
  "lose",
  /** Its answer is lost, and it happens only later. */
  "late",
  /** The catalog's process dies; what it had asked of the bucket and had not happened never does. */
  "crash",
  /** The catalog's process dies; what it had asked of the bucket happens later. */
  "crash-late",
  /** The Worker that waits for it dies. */
  "vanish",
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Schedule {
  /** Which of the waiting goes on, one number for each step; when they are used up, always the oldest. */
  readonly picks: readonly number[];
  readonly faults: readonly FaultAt[];
}

/** What befalls a step. */
export interface FaultAt {
  readonly fault: Fault;
  /** Counted from 0: of all steps, or of those alone in which the bucket is to be changed or says that it has been. */
  readonly step: number;
  readonly ofChanges: boolean;
}

export const NO_CHOICES: Schedule = { picks: [], faults: [] };

const fault: fc.Arbitrary<FaultAt> = fc.oneof(
  fc.record({ fault: fc.constantFrom(...FAULTS), step: fc.nat(60), ofChanges: fc.constant(false) }),
  fc.record({ fault: fc.constantFrom(...FAULTS), step: fc.nat(8), ofChanges: fc.constant(true) }),
);

export const choices: fc.Arbitrary<Schedule> = fc.record({
  picks: fc.array(fc.nat(20), { maxLength: 150 }),
  faults: fc.array(fault, { maxLength: 3 }),
});
