// Numbers, times and tables for people.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `1536` is "1.5 KiB". */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
  T: 1024 ** 4,
};

/** Reads `500M`, `1.5GiB`, `1000`; `undefined` for anything else. */
export function parseBytes(text: string): number | undefined {
  const [, number, unit = ""] = /^([0-9]+(?:\.[0-9]+)?)\s*(?:([KMGT])(?:i?B)?|B)?$/i.exec(text) ?? [];
  const factor = FACTORS[unit.toUpperCase()];
  return number === undefined || factor === undefined ? undefined : Math.floor(Number(number) * factor);
}

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400, w: 604_800 };

/** Reads `90s`, `12h`, `30d`, or a number of seconds; `undefined` for anything else. */
export function parseSeconds(text: string): number | undefined {
  const [, number, unit = "s"] = /^([0-9]{1,9})([smhdw])?$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (SECONDS[unit] ?? 1);
}

/** Columns under their titles; numbers belong on the right. */
export function table(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
  right: readonly string[] = [],
): string {
  const widths = titles.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const lineOf = (row: readonly string[]) =>
    titles
      .map((title, column) => {
        const cell = row[column] ?? "";
        const width = widths[column] ?? 0;
        return right.includes(title) ? cell.padStart(width) : cell.padEnd(width);
      })
      .join("  ")
      .trimEnd();
  return [titles, ...rows].map((row) => `${lineOf(row)}\n`).join("");
}
