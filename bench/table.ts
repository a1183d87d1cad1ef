// From rounds to figures, and from figures to the Markdown table.
import { NAMES, type Name, PEERS } from "./contest.ts";
import type { Measure } from "./scenarios/scenario.ts";

/** A value of each contender that was asked, all in one round. */
export type Values = Partial<Record<Name, number>>;

export interface Spread {
  readonly minimum: number;
  readonly median: number;
  readonly maximum: number;
}

type Yardstick = "baseline" | "nginx";
const EVERYONE = [...NAMES, ...PEERS];

/** One row: the measurements of one scenario. */
export interface Figures {
  readonly title: string;
  readonly unit: Measure["unit"];
  /** The speed of this Worker as a part of the yardstick's in the same round: 1 is as fast, below is slower. */
  readonly ratios: Partial<Record<Yardstick, Spread>>;
  readonly values: Partial<Record<Name, Spread>>;
  /** Milliseconds of processor time that the server took for each request. */
  readonly cpuMs: Partial<Record<Name, Spread>>;
  readonly rounds: readonly Values[];
}

export function figuresOf(
  title: string,
  unit: Measure["unit"],
  rounds: readonly Values[],
  cpuMs: readonly Values[],
): Figures {
  const isTime = unit === "ms" || unit === "s";
  const ratio = (yardstick: Yardstick) =>
    spreadOfAny(
      rounds.flatMap(({ worker, [yardstick]: other }) => {
        if (worker === undefined || other === undefined) return [];
        return isTime ? other / worker : worker / other;
      }),
    );
  const values = each(EVERYONE, (name) => spreadOfAny(rounds.flatMap((round) => round[name] ?? [])));
  const cpu = each(EVERYONE, (name) => spreadOfAny(cpuMs.flatMap((round) => round[name] ?? [])));
  return { title, unit, ratios: each(["baseline", "nginx"], ratio), values, cpuMs: cpu, rounds };
}

function each<K extends string, V>(
  names: readonly K[],
  of: (name: K) => V | undefined,
): Partial<Record<K, V>> {
  const found = names.map((name) => [name, of(name)] as const).filter(([, value]) => value !== undefined);
  return Object.fromEntries(found) as Partial<Record<K, V>>;
}

function spreadOfAny(values: readonly number[]): Spread | undefined {
  return values.length === 0 ? undefined : spread(values);
}

/** Throws on an empty list. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error("no rounds, no figures");
  return { minimum: Math.min(...values), median: percentile(values, 0.5), maximum: Math.max(...values) };
}

/** Interpolated between the two values that are next to it. */
export function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const place = (sorted.length - 1) * part;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

/** The Markdown table of all figures. `worker` is the heading of this Worker or its substitute. */
export function formatFigures(all: readonly Figures[], worker: string): string {
  const head = ["", "of the ten lines", "of nginx", worker, "ten lines", "nginx", "CPU, ms each"];
  const rows = all.map(({ title, unit, ratios, values, cpuMs }) => [
    title,
    ratioText(ratios.baseline),
    ratioText(ratios.nginx),
    ...NAMES.map((name) => valueText(values[name], unit)),
    Object.keys(cpuMs).length === 0
      ? "–"
      : NAMES.map((name) => numberText(cpuMs[name]?.median) ?? "–").join(" / "),
  ]);
  return formatTable(head, rows);
}

/** The first column is of words, the others are of numbers. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, column) => (cells[column] ?? "")[column === 0 ? "padEnd" : "padStart"](width)).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(head), line(rule), ...rows.map(line)].join("\n");
}

function ratioText(ratio: Spread | undefined): string {
  if (ratio === undefined) return "–";
  const { minimum, median, maximum } = ratio;
  const text = (value: number) => value.toFixed(value < 0.1 ? 3 : 2);
  return `${text(minimum)} **${text(median)}** ${text(maximum)}`;
}

function valueText(value: Spread | undefined, unit: string): string {
  return value === undefined ? "–" : `${numberText(value.median)} ${unit}`;
}

export function numberText(value: number | undefined): string | undefined {
  if (value === undefined) return undefined;
  return value.toFixed(value >= 100 ? 0 : value >= 10 ? 1 : 2);
}
