// A plot of growth, as SVG made here: what was added on each day, and the size that comes of it.
import { GROWTH_DAYS, type Stats } from "../contract/stats.ts";
import { bytes, counted } from "./format.ts";
import { type Html, html } from "./html.ts";

const WIDTH = 720;
const HEIGHT = 220;
/** Room for the labels. */
const TOP = 14;
const BOTTOM = 26;
const RIGHT = 110;

type Day = Stats["growth"][number];

/** `size`: bytes of all paths now. Sizes are those of what is still here: what has been deleted since is not in it. */
export function growthPlot(growth: readonly Day[], size: number): Html {
  const added = growth.reduce((sum, day) => sum + day.file_size, 0);
  let total = Math.max(0, size - added);
  const totals = growth.map((day) => {
    total += day.file_size;
    return total;
  });
  const most = Math.max(1, ...totals);
  const mostAdded = Math.max(1, ...growth.map((day) => day.file_size));
  const step = (WIDTH - RIGHT) / Math.max(1, growth.length);
  const y = (part: number) => round(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM));
  const points = totals.map((value, index) => `${round(step * (index + 0.5))},${y(value / most)}`);
  const [start, end] = [round(step / 2), round(step * (growth.length - 0.5))];
  const label = `Size over the last ${GROWTH_DAYS} days: now ${bytes(size)}, of which ${bytes(added)} were added.`;
  const bars = growth.map((day, index) => {
    const height =
      day.file_size === 0 ? 0 : Math.max(2, (day.file_size / mostAdded) * ((HEIGHT - TOP - BOTTOM) / 2));
    return html`<rect class="added" x="${round(step * index + step * 0.2)}" y="${round(HEIGHT - BOTTOM - height)}" width="${round(step * 0.6)}" height="${round(height)}"><title>${day.day}: ${bytes(day.file_size)}, ${counted(day.paths, "path")}</title></rect>`;
  });
  const lines = [1, 0.5].map(
    (part) =>
      html`<line class="grid" x1="0" x2="${WIDTH - RIGHT}" y1="${y(part)}" y2="${y(part)}"/><text x="${WIDTH - RIGHT + 8}" y="${y(part) + 4}">${bytes(Math.round(most * part))}</text>`,
  );
  return html`<figure class="plot"><svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${label}">${lines}<line class="axis" x1="0" x2="${WIDTH - RIGHT}" y1="${y(0)}" y2="${y(0)}"/><polygon class="area" points="${start},${y(0)} ${points.join(" ")} ${end},${y(0)}"/>${bars}<polyline class="curve" points="${points.join(" ")}"/><text x="0" y="${HEIGHT - 6}">${growth[0]?.day}</text><text class="end" x="${WIDTH - RIGHT}" y="${HEIGHT - 6}">today</text></svg><figcaption><span class="series">size of what is here</span><span class="series added">added on the day</span></figcaption></figure>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
