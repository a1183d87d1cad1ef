// The table of all caches: a row for each measurement, a column for each cache.
import type { Contender, Name } from "../contest.ts";
import { type Figures, formatTable, numberText, type Spread } from "../table.ts";

/** What the processes and the disk held, in MB. */
export interface Held {
  /** Resident memory before the first request. */
  readonly idle: number | undefined;
  /** Resident memory after the last one. */
  readonly after: number | undefined;
  /** On the disk for one closure, where there is a Nix to copy it: NARs, narinfos and what else is not a database. */
  readonly objects: number | undefined;
  /** By which the databases grew for it. */
  readonly databases: number | undefined;
}

const TITLES: Readonly<Record<Name, string>> = {
  worker: "nix-cache",
  baseline: "ten lines",
  nginx: "nginx",
  ncps: "ncps",
};

export function formatPeers(
  contenders: readonly Contender[],
  figures: readonly Figures[],
  held: ReadonlyMap<Name, Held>,
): string {
  const head = ["", ...contenders.map(({ name }) => TITLES[name])];
  const heldRow = (title: string, of: (held: Held | undefined) => number | undefined) => [
    title,
    ...contenders.map(({ name }) => numberText(of(held.get(name))) ?? "–"),
  ];
  return formatTable(head, [
    ...figures.map(({ title, unit, values }) => [
      `${title.replace("to the first byte", "first byte")}, ${unit}`,
      ...contenders.map(({ name }) => spreadText(values[name])),
    ]),
    heldRow("memory, idle, MB", (each) => each?.idle),
    heldRow("memory, after all of it, MB", (each) => each?.after),
    heldRow("files of the 300 paths, MB", (each) => each?.objects),
    heldRow("databases for them, MB", (each) => each?.databases),
  ]);
}

function spreadText(spread: Spread | undefined): string {
  if (spread === undefined) return "–";
  const { minimum, median, maximum } = spread;
  return `${numberText(median)} (${numberText(minimum)}–${numberText(maximum)})`;
}
