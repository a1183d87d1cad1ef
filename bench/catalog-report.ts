// What the measured catalog answers at /bench/spent.

/** As the platform counts. Setting an alarm is one row written. */
export interface Spent {
  rowsRead: number;
  rowsWritten: number;
  classA: number;
  classB: number;
  /** Calls that delete. */
  deletes: number;
  /** Calls of Durable Objects. */
  calls: number;
}

export const NOTHING: Spent = { rowsRead: 0, rowsWritten: 0, classA: 0, classB: 0, deletes: 0, calls: 0 };

export interface AlarmReport {
  readonly ms: number;
  /** With what requests have spent meanwhile. */
  readonly spent: Spent;
}

export interface Report {
  /** Since the last report, alarms included. */
  readonly spent: Spent;
  /** Since the last report. */
  readonly alarms: readonly AlarmReport[];
  /** Milliseconds until the next alarm; null where none is set. */
  readonly dueMs: number | null;
  readonly isInAlarm: boolean;
}
