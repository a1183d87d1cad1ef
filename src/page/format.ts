// Numbers, sizes and times as a person reads them.
import { type Html, html } from "./html.ts";

const UNITS = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
const STEPS: readonly (readonly [unit: Intl.RelativeTimeFormatUnit, seconds: number])[] = [
  ["year", 365 * 86_400],
  ["month", 30 * 86_400],
  ["day", 86_400],
  ["hour", 3600],
  ["minute", 60],
];

/** Three digits at most, as in 12.3 MiB. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return count === 1 ? "1 byte" : `${count} bytes`;
  return `${value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)} ${UNITS[unit]}`;
}

export function number(count: number): string {
  return count.toLocaleString("en-US");
}

/** `1 path`, `2 paths`. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${number(count)} ${count === 1 ? one : many}`;
}

/** How long ago an ISO time was; the time itself is its title. */
export function ago(time: string, now = Date.now()): Html {
  const at = Date.parse(time);
  const exact = Number.isNaN(at) ? time : `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  return html`<time datetime="${time}" title="${exact}">${relative(Math.round((now - at) / 1000)) ?? exact}</time>`;
}

function relative(seconds: number): string | undefined {
  if (Number.isNaN(seconds)) return undefined;
  const [unit, size] = STEPS.find(([, size]) => Math.abs(seconds) >= size) ?? [];
  if (unit === undefined || size === undefined) return "just now";
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(-Math.floor(seconds / size), unit);
}
