// Cloudflare's prices of what a cache uses, and what a push uses of it.

/** Billed units. Storage is in GB and month, the rest in numbers. */
export const ITEMS = {
  requests: "Worker requests",
  cpuMs: "Worker CPU, ms",
  classA: "R2 class A",
  classB: "R2 class B",
  storage: "R2 storage, GB",
  calls: "Durable Object requests",
  rowsRead: "Durable Object rows read",
  rowsWritten: "Durable Object rows written",
  catalog: "Durable Object storage, GB",
} as const;

export type Item = keyof typeof ITEMS;
export type Amounts = Readonly<Record<Item, number>>;

export interface Price {
  /** In a month of the paid plan. */
  readonly included: number;
  /** Dollars for `per` more. */
  readonly dollars: number;
  readonly per: number;
}

const MILLION = 1e6;
/** Of the paid plan, which is these dollars a month. */
export const BASE_DOLLARS = 5;
/** https://developers.cloudflare.com/workers/platform/pricing/, /r2/pricing/, /durable-objects/platform/pricing/ */
export const PRICES: Readonly<Record<Item, Price>> = {
  requests: { included: 10 * MILLION, dollars: 0.3, per: MILLION },
  cpuMs: { included: 30 * MILLION, dollars: 0.02, per: MILLION },
  classA: { included: 1 * MILLION, dollars: 4.5, per: MILLION },
  classB: { included: 10 * MILLION, dollars: 0.36, per: MILLION },
  storage: { included: 10, dollars: 0.015, per: 1 },
  calls: { included: 1 * MILLION, dollars: 0.15, per: MILLION },
  rowsRead: { included: 25_000 * MILLION, dollars: 0.001, per: MILLION },
  rowsWritten: { included: 50 * MILLION, dollars: 1, per: MILLION },
  catalog: { included: 5, dollars: 0.2, per: 1 },
};

/** What an action uses. Alarms are among `calls`, as they are billed. */
export type Deed = Readonly<
  Pick<Amounts, "requests" | "classA" | "classB" | "calls" | "rowsRead" | "rowsWritten">
>;
/** A path with five references, pushed alone, with the alarms that settle it and read its NAR. */
export const PUSH: Deed = { requests: 4, classA: 2, classB: 3, calls: 4, rowsRead: 67, rowsWritten: 19 };

/** Dollars for an amount of a month. */
export function cost(item: Item, amount: number): number {
  const { included, dollars, per } = PRICES[item];
  return (Math.max(0, amount - included) / per) * dollars;
}
