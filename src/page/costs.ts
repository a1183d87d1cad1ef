// The costs of a month, estimated from what the catalog counts: the paths that were pushed, and what is stored.
import type { Stats } from "../contract/stats.ts";
import { type Html, html } from "./html.ts";
import { cost, type Deed, ITEMS, type Item, PRICES, PUSH } from "./prices.ts";

const BYTES_OF_GB = 1e9;
const SHOWN = ["storage", "classA", "classB", "requests", "rowsWritten", "catalog"] as const;

/** Of the month (UTC) of the last day of `growth`; of what was pushed in it and is still here. */
export function amountsOf({ growth, stored_size, catalog_size }: Stats): Readonly<Record<Item, number>> {
  const month = growth.at(-1)?.day.slice(0, 7) ?? "";
  const pushed = growth.filter(({ day }) => day.startsWith(month)).reduce((sum, { paths }) => sum + paths, 0);
  const ofPushes = (item: keyof Deed) => pushed * PUSH[item];
  return {
    requests: ofPushes("requests"),
    cpuMs: ofPushes("requests"),
    classA: ofPushes("classA"),
    classB: ofPushes("classB"),
    storage: stored_size / BYTES_OF_GB,
    calls: ofPushes("calls"),
    rowsRead: ofPushes("rowsRead"),
    rowsWritten: ofPushes("rowsWritten"),
    catalog: catalog_size / BYTES_OF_GB,
  };
}

export function costs(stats: Stats): Html {
  const amounts = amountsOf(stats);
  const total = (Object.keys(ITEMS) as Item[]).reduce((sum, item) => sum + cost(item, amounts[item]), 0);
  const rows = SHOWN.map(
    (item) =>
      html`<tr><th scope="row">${ITEMS[item]}</th><td class="number">${amount(amounts[item])}</td><td class="number">${amount(PRICES[item].included)}</td><td class="number">${dollars(cost(item, amounts[item]))}</td></tr>`,
  );
  return html`<p>About <b>${dollars(total)}</b>, besides the plan itself: estimated from what is stored and the pushes of this month. Reads are not counted: each is a request, and one of class B unless Cloudflare’s cache answers it; ${amount(PRICES.classB.included)} of both a month are included. All caches of an account share what is included.</p><table><thead><tr><th scope="col">Item</th><th scope="col" class="number">Used</th><th scope="col" class="number">Included</th><th scope="col" class="number">Costs</th></tr></thead><tbody>${rows}</tbody></table>`;
}

function amount(value: number): string {
  return value.toLocaleString("en-US", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

function dollars(value: number): string {
  return `$${value.toFixed(2)}`;
}
