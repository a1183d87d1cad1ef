// Pins with many revisions: what a PUT costs, how many are kept, and their pages.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { getPin, listPins, putPin } from "../../../src/catalog/pins/pins.ts";
import { addRevision, pinnedOf, savePinRow } from "../../../src/catalog/rows/pins.ts";
import { type Keep, MAX_REVISIONS } from "../../../src/contract/pins.ts";
import { hashOf } from "../../support/closure.ts";
import { inCatalog, later, publishPath, reindex } from "../../support/runs.ts";
import { type TestPath, testPath } from "../../support/store-paths.ts";

const DAY_MS = 24 * 3600 * 1000;
/** The pin, its revision and that of the index by path, the oldest revision that goes, the object's etag. */
const ROWS_WRITTEN = 5;

afterEach(() => reset());

const hashOfNumber = (number: number) => String(number).padStart(32, "0");

/** A pin as so many PUTs have left it, one in each millisecond since `from`. */
function pinned(c: CatalogContext, name: string, count: number, keep: Keep, from = Date.now() - count): void {
  savePinRow(c, name, keep);
  for (let number = 1; number <= count; number++) {
    const revision = { hash: hashOfNumber(number), name: `system-${number}`, pinned: from + number };
    addRevision(c, name, number, { ...revision, pinnedBy: "tester" });
  }
}

async function two(): Promise<[TestPath, TestPath]> {
  const paths = [await testPath("system-a", "a"), await testPath("system-b", "b")] as const;
  for (const path of paths) await publishPath(path);
  return [...paths];
}

const requestOf = ({ info: { storePath } }: TestPath) => ({ hash: storePath.hash, name: storePath.name });

describe("the PUT of a revision", () => {
  it.each<[string, number, Keep, number]>([
    ["the first", 0, {}, 100],
    ["the second", 1, {}, 100],
    ["the hundredth", 99, {}, 100],
    ["the hundred and first", 100, { keepRevisions: 100 }, 100],
    ["the thousandth of a pin that keeps so many", 999, { keepRevisions: 1000 }, 1000],
    ["one of a pin that keeps them by time", 5000, { keepDays: 30 }, MAX_REVISIONS],
  ])("%s writes and reads bounded numbers of rows", async (_, before, keep, most) => {
    const [path] = await two();
    await inCatalog(async (c) => {
      if (before > 0) pinned(c, "p", before, before === 5000 ? keep : { keepRevisions: 100, ...keep });
      const { context, spent } = metered(c);
      await putPin(context, "p", { ...requestOf(path), ...keep }, "tester");
      const { rows_written, rows_read } = spent();
      expect(rows_written).toBeLessThanOrEqual(before === 5000 ? ROWS_WRITTEN + 9 : ROWS_WRITTEN);
      expect(rows_read).toBeLessThanOrEqual(most + 150);
    });
  });

  it("that changes nothing writes none", async () => {
    const [path] = await two();
    await inCatalog(async (c) => {
      await putPin(c, "p", requestOf(path), "tester");
      const { context, spent } = metered(c);
      await putPin(context, "p", requestOf(path), "tester");
      expect(spent()).toMatchObject({ rows_written: 0, class_a: 0 });
    });
  });
});

describe("revisions", () => {
  it("are a hundred where nothing else is said, in the catalog and in the bucket", async () => {
    const [one, other] = await two();
    await inCatalog(async (c) => {
      for (let number = 0; number < 103; number++) {
        await putPin(c, "p", requestOf(number % 2 === 0 ? one : other), "tester");
      }
      const pin = getPin(c, "p", { limit: 1000 });
      expect(pin).toMatchObject({ keep_revisions: 100, keep_days: null });
      expect(pin.revisions).toHaveLength(100);
      expect(c.sql.exec("SELECT count(*) AS count FROM pin_revisions").one()).toEqual({ count: 100 });
    });
    const object = JSON.parse((await (await env.BUCKET.get("pins/p"))?.text()) ?? "");
    expect(object.revisions).toHaveLength(100);
  });

  it("that an earlier version kept for ever stay, a thousand of them", async () => {
    await inCatalog((c) => {
      pinned(c, "old", 1500, {});
      expect(pinnedOf(c, [500, 501, 1500].map(hashOfNumber))).toEqual(new Set([501, 1500].map(hashOfNumber)));
      expect(getPin(c, "old", { limit: 1000 }).revisions).toHaveLength(1000);
    });
  });

  it("of a rule that keeps fewer go a few at a time, and protect nothing from then on", async () => {
    const [path] = await two();
    await inCatalog(async (c) => {
      pinned(c, "p", 50, { keepRevisions: 100 });
      await putPin(c, "p", { ...requestOf(path), keepRevisions: 2 }, "tester");
      expect(getPin(c, "p", { limit: 100 }).revisions).toHaveLength(2);
      expect(pinnedOf(c, [49, 50].map(hashOfNumber))).toEqual(new Set([hashOfNumber(50)]));
      expect(c.sql.exec("SELECT count(*) AS count FROM pin_revisions").one()).toEqual({ count: 41 });
    });
  });

  it("by time: what is younger stays, and its end is told", async () => {
    await inCatalog((c) => {
      const from = Date.now() - 10 * DAY_MS;
      pinned(c, "p", 3, { keepRevisions: 1, keepDays: 20 }, from);
      expect(getPin(c, "p", { limit: 10 }).revisions.map(({ until }) => until && Date.parse(until))).toEqual([
        null,
        from + 2 + 20 * DAY_MS,
        from + 1 + 20 * DAY_MS,
      ]);
    });
    await inCatalog(
      (c) => {
        expect(getPin(c, "p", { limit: 10 }).revisions).toHaveLength(1);
        expect(pinnedOf(c, [1, 2, 3].map(hashOfNumber))).toEqual(new Set([hashOfNumber(3)]));
      },
      later(11 * DAY_MS),
    );
  });

  it("have pages", async () => {
    await inCatalog((c) => {
      pinned(c, "p", 7, { keepRevisions: 5 });
      const seen: string[] = [];
      let after: { readonly number: number } | undefined;
      for (let page = 0; page === 0 || after !== undefined; page++) {
        const pin = getPin(c, "p", { limit: 2, ...(after && { after }) });
        expect(pin.store_path).toMatch(/-system-7$/);
        expect(pin.revisions).toHaveLength(pin.next === undefined ? 1 : 2);
        seen.push(...pin.revisions.map(({ store_path }) => store_path.slice(-1)));
        after = pin.next;
      }
      expect(seen).toEqual(["7", "6", "5", "4", "3"]);
    });
  });

  it("in a list of pins are the newest, and the cost of a page does not grow with them", async () => {
    await inCatalog((c) => {
      for (let pin = 0; pin < 20; pin++) pinned(c, `p${pin}`, 100, { keepRevisions: 100 });
      const { context, spent } = metered(c);
      const { pins } = listPins(context, { limit: 10 });
      expect(pins).toHaveLength(10);
      expect(pins.map(({ revisions }) => revisions.length)).toEqual(pins.map(() => 10));
      expect(pins[0]?.next).toEqual({ number: 91 });
      expect(spent().rows_read).toBeLessThanOrEqual(10 * 20 + 10);
    });
  });

  it("come back from the bucket with their rule", async () => {
    const [one, other] = await two();
    await inCatalog(async (c) => {
      for (const path of [one, other, one]) {
        await putPin(c, "p", { ...requestOf(path), keepRevisions: 3 }, "tester");
      }
      const before = getPin(c, "p", { limit: 10 });
      for (const table of ["pins", "pin_revisions", "runs"]) c.sql.exec(`DELETE FROM ${table}`);
      await reindex(c);
      expect(getPin(c, "p", { limit: 10 })).toEqual(before);
      expect(pinnedOf(c, [hashOf(one)])).toEqual(new Set([hashOf(one)]));
    });
  });
});
