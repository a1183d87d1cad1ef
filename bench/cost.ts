// `npm run cost`: monthly costs of three typical users, and how many pushes a day the free plan allows, from the
// operations of each request (counted by test/cache/operations.test.ts and test/catalog/publish/cost.test.ts) and
// Cloudflare's prices. Nothing is assumed to be answered by the cache in front, which costs nothing.
import {
  AFTER_PUSH,
  type Amounts,
  BASE_DOLLARS,
  cost,
  type Deed,
  ITEMS,
  type Item,
  PRICES,
  PUSH,
} from "../src/page/prices.ts";
import { formatTable } from "./table.ts";

const MILLION = 1e6;

/** The free plan's allowances: per day, except storage. R2's allowances are the same on both plans. */
const FREE = {
  requests: 100_000,
  calls: 100_000,
  rowsRead: 5 * MILLION,
  rowsWritten: 100_000,
  catalog: 5,
} as const satisfies Partial<Record<Item, number>>;
const DAYS = 30;
/** GB-seconds of Durable Objects in a day of the free plan, and those of one that never sleeps: 128 MB. */
const FREE_DURATION = 13_000;
const DURATION_OF_A_DAY = 0.125 * 24 * 3600;

/** The actions of a client, and their cost. */
const DEEDS = {
  /** GET narinfo: 404. */
  miss: { requests: 1, classA: 0, classB: 1, calls: 0, rowsRead: 0, rowsWritten: 0 },
  /** GET narinfo and GET NAR. */
  pull: { requests: 2, classA: 0, classB: 2, calls: 0, rowsRead: 0, rowsWritten: 0 },
  push: PUSH,
  afterwards: AFTER_PUSH,
} as const satisfies Record<string, Deed>;
const EACH_PUSH: readonly Deed[] = [DEEDS.push, DEEDS.afterwards];

/** A guess above what is likely: the Worker's own code takes some 0.01 ms of a read (`npm run bench:handler`). */
const CPU_MS_PER_REQUEST = 1;
/** Measured (`npm run bench:catalog`). */
const CATALOG_BYTES_PER_PATH = 2_150;

interface User {
  readonly name: string;
  /** In a month. */
  readonly deeds: Readonly<Record<"miss" | "pull" | "push", number>>;
  /** GB, on average over the month. */
  readonly storage: number;
  /** Paths that are kept. */
  readonly paths: number;
}

const USERS: readonly User[] = [
  {
    name: "a person",
    // Two machines, updated twice a week: 2,000 paths looked up each time, 250 of them here. 500 built and pushed.
    deeds: { miss: 2 * 8 * 1_750, pull: 2 * 8 * 250, push: 500 },
    storage: 10,
    paths: 5_000,
  },
  {
    name: "a team's CI",
    // 50 jobs a day: 1,000 paths that are not here, 400 that are, 60 new ones. Some 1 TB is read, which costs nothing.
    deeds: { miss: 50 * DAYS * 1_000, pull: 50 * DAYS * 400, push: 50 * DAYS * 60 },
    storage: 50,
    paths: 50_000,
  },
  {
    name: "an organization",
    // 1,000 jobs a day, the same, but only 40 new ones in each: they share more.
    deeds: { miss: 1_000 * DAYS * 1_000, pull: 1_000 * DAYS * 400, push: 1_000 * DAYS * 40 },
    storage: 3_000,
    paths: 2_000_000,
  },
];

function amountsOf({ deeds, storage, paths }: User): Amounts {
  const numbers = { ...deeds, afterwards: deeds.push };
  const sum = (item: keyof Deed) =>
    Object.entries(DEEDS).reduce(
      (total, [name, deed]) => total + numbers[name as keyof typeof DEEDS] * deed[item],
      0,
    );
  const requests = sum("requests");
  return {
    requests,
    cpuMs: requests * CPU_MS_PER_REQUEST,
    classA: sum("classA"),
    classB: sum("classB"),
    storage,
    calls: sum("calls"),
    rowsRead: sum("rowsRead"),
    rowsWritten: sum("rowsWritten"),
    catalog: (paths * CATALOG_BYTES_PER_PATH) / 1e9,
  };
}

/** Whether the free plan is enough, on a day like all others. */
function fitsFree(amounts: Amounts): boolean {
  return Object.entries(FREE).every(([item, limit]) => {
    const amount = amounts[item as Item];
    return (item === "catalog" ? amount : amount / DAYS) <= limit;
  });
}

function number(value: number): string {
  return value.toLocaleString("en", { maximumFractionDigits: value < 100 ? 2 : 0 });
}

const items = Object.keys(ITEMS) as Item[];

const deedRows = Object.entries(DEEDS).map(([name, deed]) => [name, ...Object.values(deed).map(String)]);
console.log(
  formatTable(
    ["each", "requests", "class A", "class B", "catalog calls", "rows read", "rows written"],
    deedRows,
  ),
);
console.log();

/** Pushes a day until the free plan's allowance of each item is used up. */
function freePushes(): { readonly name: string; readonly each: number; readonly allowed: number }[] {
  const allowances: Partial<Record<keyof Deed, number>> = {
    requests: FREE.requests,
    calls: FREE.calls,
    rowsRead: FREE.rowsRead,
    rowsWritten: FREE.rowsWritten,
    classA: PRICES.classA.included / DAYS,
    classB: PRICES.classB.included / DAYS,
  };
  return Object.entries(allowances).map(([item, allowed]) => {
    const each = EACH_PUSH.reduce((sum, deed) => sum + deed[item as keyof Deed], 0);
    return { name: ITEMS[item as keyof Deed], each, allowed };
  });
}

const limits = freePushes();
console.log(
  formatTable(
    ["free plan, pushes alone", "a day", "each push", "pushes a day"],
    limits.map(({ name, each, allowed }) => [
      name,
      number(Math.floor(allowed)),
      String(each),
      number(Math.floor(allowed / each)),
    ]),
  ),
);
const bound = Math.min(...limits.map(({ allowed, each }) => Math.floor(allowed / each)));
console.log(
  `\nAt most ${number(bound)} new paths a day. One object that never sleeps takes ${number(DURATION_OF_A_DAY)} of the ${number(FREE_DURATION)} GB-s a day.\n`,
);

const DEED_NAMES = ["miss", "pull", "push"] as const;
const userHead = ["a month", ...DEED_NAMES, "GB stored", "paths kept"];
console.log(
  formatTable(
    userHead,
    USERS.map(({ name, deeds, storage, paths }) => [
      name,
      ...DEED_NAMES.map((deed) => number(deeds[deed])),
      number(storage),
      number(paths),
    ]),
  ),
);

for (const user of USERS) {
  const amounts = amountsOf(user);
  const isFree = fitsFree(amounts);
  const rows = items.map((item) => {
    const { included, dollars, per } = PRICES[item];
    return [
      ITEMS[item],
      number(amounts[item]),
      number(included),
      `$${dollars} per ${per === 1 ? "GB" : "million"}`,
      `$${cost(item, amounts[item]).toFixed(2)}`,
    ];
  });
  const plan = isFree ? 0 : BASE_DOLLARS;
  const total = items.reduce((sum, item) => sum + cost(item, amounts[item]), plan);
  rows.push([isFree ? "free plan" : "paid plan", "", "", "", `$${plan.toFixed(2)}`]);
  rows.push(["**together**", "", "", "", `**$${total.toFixed(2)}**`]);
  console.log(`\n### ${user.name[0]?.toUpperCase()}${user.name.slice(1)}\n`);
  console.log(formatTable(["", "amount", "included", "price beyond", "cost"], rows));
}
