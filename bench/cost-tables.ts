// The tables of docs/operating/costs-and-limits.md: from the cost of each action, which tests count, and Cloudflare's prices.
import { BASE_DOLLARS, cost, type Deed, ITEMS, type Item, PRICES } from "../src/page/prices.ts";
import { DEEDS, type DeedName } from "../test/budgets/deeds.ts";

const MILLION = 1e6;
const DAYS = 30;

/** Of the free plan, a day. R2's allowances are those of a month, the same on both plans. */
const FREE_A_DAY = {
  requests: 100_000,
  calls: 100_000,
  rowsRead: 5 * MILLION,
  rowsWritten: 100_000,
} as const;
/** GB-seconds for which objects run: https://developers.cloudflare.com/durable-objects/platform/pricing/ */
const DURATION = { free: 13_000, included: 400_000, dollars: 12.5, ofADay: 0.128 * 24 * 3600 } as const;
/** A guess above what is likely: the Worker's own code takes some 0.01 ms of a read (`npm run bench:handler`). */
const CPU_MS_PER_REQUEST = 1;
/** Measured (`npm run bench:catalog`). */
const CATALOG_BYTES_PER_PATH = 2_150;

type Amounts = Readonly<Record<Item, number>>;
type Numbers = Readonly<Partial<Record<DeedName, number>>>;

const COUNTED = ["requests", "classA", "classB", "calls", "rowsRead", "rowsWritten"] as const;

/** On a day on which both machines are updated. Retention removes as many paths as are pushed. */
const PERSON: Numbers = {
  ...{ miss: 2 * 1750, pull: 2 * 250, pushOnUpstream: 100 },
  ...{ collection: 1, kept: 3000, removed: 100 },
};
const PERSON_STORES = { gigabytes: 5, paths: 3000 };

/** A month of 50 jobs a day. Each asks for 750 paths that are not here, pulls 400, and pushes 50. */
const JOBS = 50 * DAYS;
const TEAM: Numbers = {
  ...{ miss: JOBS * 750, pullByPusher: JOBS * 400, pushOnUpstream: JOBS * 50 },
  ...{ collection: DAYS, kept: DAYS * 50_000, removed: JOBS * 50 },
};
const WITHOUT_UPSTREAMS: Numbers = { ...TEAM, pushOnUpstream: 0, pushOfMany: JOBS * 50 };
const TEAM_STORES = { gigabytes: 50, paths: 50_000 };

function sum(numbers: Numbers): Deed {
  const entries = Object.entries(numbers) as [DeedName, number][];
  const total = (item: keyof Deed) =>
    entries.reduce((all, [name, number]) => all + number * DEEDS[name][item], 0);
  return {
    ...{ requests: total("requests"), classA: total("classA"), classB: total("classB") },
    ...{ calls: total("calls"), rowsRead: total("rowsRead"), rowsWritten: total("rowsWritten") },
  };
}

function amountsOf(numbers: Numbers, { gigabytes, paths }: typeof TEAM_STORES): Amounts {
  const spent = sum(numbers);
  const catalog = (paths * CATALOG_BYTES_PER_PATH) / 1e9;
  return { ...spent, cpuMs: spent.requests * CPU_MS_PER_REQUEST, storage: gigabytes, catalog };
}

function prices(): string {
  const rows = (Object.keys(ITEMS) as Item[]).map((item) => {
    const { included, dollars, per } = PRICES[item];
    const isDaily = item in FREE_A_DAY;
    const free = isDaily ? `${number(FREE_A_DAY[item as keyof typeof FREE_A_DAY])} a day` : number(included);
    const unit = per === 1 ? "each" : "a million";
    return [
      ITEMS[item],
      item === "cpuMs" ? "10 a request" : free,
      number(included),
      `${unitPrice(dollars)} ${unit}`,
    ];
  });
  const { free, included, dollars } = DURATION;
  rows.push([
    "Durable Object time, GB-s",
    `${number(free)} a day`,
    number(included),
    `${unitPrice(dollars)} a million`,
  ]);
  return table(["", "free plan", "paid plan, a month", "beyond"], rows);
}

function deeds(): string {
  const rows = Object.values(DEEDS).map((deed) => [deed.title, ...COUNTED.map((item) => number(deed[item]))]);
  return table(["", "requests", "class A", "class B", "catalog", "rows read", "rows written"], rows);
}

/** What the free plan allows in a day, if nothing else is done. */
const A_DAY: Readonly<Record<keyof Deed, number>> = {
  ...FREE_A_DAY,
  classA: PRICES.classA.included / DAYS,
  classB: PRICES.classB.included / DAYS,
};
const WAYS: readonly (readonly [string, Numbers])[] = [
  ["pushed together", { pushOfMany: 1 }],
  ["with an upstream", { pushOnUpstream: 1 }],
  ["mirrored", { mirror: 1 }],
  ["pushed, later removed", { pushOfMany: 1, removed: 1 }],
];

function freePlan(): string {
  const rows = COUNTED.map((item) => [
    ITEMS[item],
    number(Math.floor(A_DAY[item])),
    ...WAYS.map(([, numbers]) => number(Math.floor(A_DAY[item] / sum(numbers)[item]))),
  ]);
  return table(["new paths a day", "allowed", ...WAYS.map(([title]) => title)], rows);
}

function millions(): string {
  const million = (numbers: Numbers) => {
    const spent = sum(numbers);
    const dollars = COUNTED.reduce(
      (all, item) => all + spent[item] * (PRICES[item].dollars / PRICES[item].per),
      0,
    );
    return price(dollars * MILLION);
  };
  return table(
    ["beyond every allowance", "price"],
    [
      ["100 GB stored for a month", price(100 * PRICES.storage.dollars)],
      ["a million narinfos that are not here", million({ miss: 1 })],
      ["a million paths pulled", million({ pull: 1 })],
      ["a million paths pushed together", million({ pushOfMany: 1 })],
      ["a million paths removed", million({ removed: 1 })],
    ],
  );
}

function person(): string {
  const amounts = amountsOf(PERSON, PERSON_STORES);
  const limits: readonly (readonly [Item, number])[] = [
    ...COUNTED.map((item) => [item, A_DAY[item]] as const),
    ["storage", PRICES.storage.included],
    ["catalog", PRICES.catalog.included],
  ];
  return table(
    ["a person, on a busy day", "used", "free plan", "share"],
    limits.map(([item, limit]) => [
      ITEMS[item],
      number(amounts[item]),
      number(Math.floor(limit)),
      `${((100 * amounts[item]) / limit).toFixed(1)} %`,
    ]),
  );
}

function team(): string {
  const amounts = amountsOf(TEAM, TEAM_STORES);
  const without = amountsOf(WITHOUT_UPSTREAMS, TEAM_STORES);
  const items = Object.keys(ITEMS) as Item[];
  const rows = items.map((item) => [
    ITEMS[item],
    number(without[item]),
    number(amounts[item]),
    number(PRICES[item].included),
    price(cost(item, amounts[item])),
  ]);
  const total = items.reduce((all, item) => all + cost(item, amounts[item]), BASE_DOLLARS);
  rows.push(["the paid plan", "", "", "", price(BASE_DOLLARS)]);
  rows.push(["**together**", "", "", "", `**${price(total)}**`]);
  return table(["a team's CI, a month", "without upstreams", "with", "included", "cost"], rows);
}

function duration(): string {
  const { ofADay, free, included, dollars } = DURATION;
  const row = (title: string, used: number, allowance: number) => [
    title,
    number(used),
    number(allowance),
    price((Math.max(0, used - allowance) * dollars) / MILLION),
  ];
  return table(
    ["objects that never rest", "GB-s", "allowance", "cost"],
    [
      row("one for a day, free plan", ofADay, free),
      row("one for a month, paid plan", ofADay * DAYS, included),
      row("two for a month, paid plan", 2 * ofADay * DAYS, included),
    ],
  );
}

/** By the name in their mark. */
const SECTIONS = { prices, deeds, millions, duration, freePlan, person, team } as const;

/** All of them, for a terminal. */
export function allTables(): string {
  return Object.values(SECTIONS)
    .map((make) => make())
    .join("\n\n");
}

/** The page with the tables of now in place of those between its marks. Throws where a mark is missing. */
export function withTables(page: string): string {
  return Object.entries(SECTIONS).reduce((text, [name, make]) => {
    const start = `<!-- npm run cost: ${name} -->\n`;
    const end = "<!-- end -->";
    const from = text.indexOf(start);
    const to = text.indexOf(end, from);
    if (from < 0 || to < 0) throw new Error(`the page has lost ${start.trim()} or ${end} after it`);
    return `${text.slice(0, from)}${start}\n${make()}\n\n${text.slice(to)}`;
  }, page);
}

function unitPrice(dollars: number): string {
  return `$${dollars.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 3 })}`;
}

function price(dollars: number): string {
  return `$${dollars.toFixed(2)}`;
}

function number(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map((_, column) => (column === 0 ? "---" : "--:"))), ...rows.map(line)].join(
    "\n",
  );
}
