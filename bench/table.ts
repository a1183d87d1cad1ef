// From rounds to figures, and from figures to the Markdown table that is printed.

/** One kind of request in one round, asked of both Workers one right after the other. */
export interface Round {
  readonly worker: number;
  readonly baseline: number;
}

export interface Spread {
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
}

/** What was measured of one kind of request; rates are in `unit`. */
export interface Figures {
  readonly name: string;
  readonly unit: string;
  /** `worker / baseline` of each round: 1 is as fast as the ten lines. */
  readonly ratio: Spread;
  readonly worker: Spread;
  readonly baseline: Spread;
  readonly rounds: readonly Round[];
}

export function figuresOf(name: string, unit: string, rounds: readonly Round[]): Figures {
  return {
    name,
    unit,
    ratio: spread(rounds.map(({ worker, baseline }) => worker / baseline)),
    worker: spread(rounds.map(({ worker }) => worker)),
    baseline: spread(rounds.map(({ baseline }) => baseline)),
    rounds,
  };
}

/** Throws on an empty list. */
export function spread(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (index: number) => {
    const value = sorted[index];
    if (value === undefined) throw new Error("no rounds, no figures");
    return value;
  };
  const last = sorted.length - 1;
  return {
    minimum: at(0),
    median: (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2,
    maximum: at(last),
  };
}

/** The Markdown table; `names` are those of the Worker and of what it is compared with. */
export function formatTable(names: Readonly<Record<keyof Round, string>>, all: readonly Figures[]): string {
  const rows = all.map(({ name, unit, ratio, worker, baseline }) => [
    name,
    ...[ratio.minimum, ratio.median, ratio.maximum].map((value) => value.toFixed(2)),
    ...[worker.median, baseline.median].map((value) => `${value.toFixed(0)} ${unit}`),
  ]);
  const head = ["request", "minimum", "median", "maximum", names.worker, names.baseline];
  const width = (column: number) => Math.max(...[head, ...rows].map((row) => row[column]?.length ?? 0));
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(width(column)) : cell.padStart(width(column)))).join(" | ")} |`;
  const rule = head.map((_, column) =>
    column === 0 ? "-".repeat(width(column)) : `${"-".repeat(width(column) - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}
