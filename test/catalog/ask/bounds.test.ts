// What questions read in a catalog of 30,000 paths: rows in proportion to the answer, never to the catalog.
import { reset } from "cloudflare:test";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { pathDetail } from "../../../src/catalog/ask/detail.ts";
import { listPaths } from "../../../src/catalog/ask/list.ts";
import { searchPaths } from "../../../src/catalog/ask/search.ts";
import { statsOf } from "../../../src/catalog/ask/stats.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { metricsOf } from "../../../src/catalog/health/metrics.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { MAX_CLOSURE, MAX_SCANNED, type PathPage, type SearchQuery } from "../../../src/contract/paths.ts";
import { hashOf } from "../../support/closure.ts";
import { hashOfMany, manyPaths } from "../../support/many-paths.ts";
import { inCatalog, publishPath } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

const MANY = 30_000;

beforeAll(() => inCatalog((c) => manyPaths(c, MANY)));
afterAll(() => reset());

/** The answer, and the rows that it read. */
async function asking<T>(ask: (c: CatalogContext) => T | Promise<T>): Promise<{ answer: T; rows: number }> {
  return inCatalog(async (c) => {
    const { context, spent } = metered(c);
    const answer = await ask(context);
    expect(spent().rows_written).toBe(0);
    return { answer, rows: spent().rows_read };
  });
}

const search = (query: Partial<SearchQuery>) =>
  asking((c) => searchPaths(c, { prefix: "", part: "", limit: 50, ...query }));
const namesOf = ({ paths }: PathPage) => paths.map(({ name }) => name);

describe("a search", () => {
  it.each(["zzz", "name-79191", "NAME", "name-1%", "-", "~"])(
    "of the absent prefix %s reads no row",
    async (prefix) => {
      const { answer, rows } = await search({ prefix });
      expect(answer).toEqual({ paths: [] });
      expect(rows).toBeLessThanOrEqual(2);
    },
  );

  it("of a prefix reads what it shows, on every page", async () => {
    const first = await search({ prefix: "name-5", limit: 100 });
    expect(first.rows).toBeLessThanOrEqual(102);
    expect(first.answer.paths).toHaveLength(100);
    const far = await search({ prefix: "name-5", limit: 100, after: { name: "name-5999", hash: "0" } });
    expect(far.rows).toBeLessThanOrEqual(102);
    expect(namesOf(far.answer)[0]).toBe("name-5999");
    expect(far.answer.next).toBeUndefined();
  });

  it("of a prefix finds each path once, page by page", async () => {
    const found: string[] = [];
    let after: SearchQuery["after"];
    do {
      const { answer } = await search({ prefix: "name-7", limit: 1000, ...(after && { after }) });
      found.push(...answer.paths.map(({ hash }) => hash));
      after = answer.next as SearchQuery["after"];
    } while (after !== undefined);
    const expected = Array.from({ length: MANY }, (_, n) => n).filter((n) =>
      String(n % 7919).startsWith("7"),
    );
    expect(found.toSorted()).toEqual(expected.map(hashOfMany));
  });

  it.each(["zzz", "'", "%", "_", "NAME-ZZZ", "z".repeat(211), "5555"])(
    "for the part %s compares a bounded number of names for one page",
    async (part) => {
      const found: string[] = [];
      let pages = 0;
      for (let after: SearchQuery["after"]; ; pages++) {
        const { answer, rows } = await search({ part, ...(after && { after }) });
        expect(rows).toBeLessThanOrEqual(MAX_SCANNED + 3 * answer.paths.length + 2);
        found.push(...namesOf(answer));
        after = answer.next as SearchQuery["after"];
        if (after === undefined) break;
        expect(answer.scanned).toBe(MAX_SCANNED);
      }
      expect(pages).toBe(MANY / MAX_SCANNED);
      expect(found).toEqual(part === "5555" ? Array(4).fill("name-5555") : []);
    },
  );

  it("for a part that many names have fills its pages", async () => {
    const { answer, rows } = await search({ part: "AME-1", limit: 1000 });
    expect(answer.paths).toHaveLength(1000);
    expect(answer).not.toHaveProperty("scanned");
    expect(rows).toBeLessThanOrEqual(MAX_SCANNED + 3002);
    const next = await search({
      part: "ame-1",
      limit: 1000,
      after: answer.next as SearchQuery["after"] & object,
    });
    const first = answer.paths.at(-1);
    const second = next.answer.paths[0];
    expect(`${first?.name} ${first?.hash}` < `${second?.name} ${second?.hash}`).toBe(true);
  });

  it("in a prefix for a part compares only names with the prefix", async () => {
    const { answer, rows } = await search({ prefix: "name-77", part: "777" });
    expect(new Set(namesOf(answer))).toEqual(
      new Set(["name-777", ...Array.from({ length: 10 }, (_, n) => `name-777${n}`)]),
    );
    expect(rows).toBeLessThan(1000);
  });

  it("does not leave its prefix, whatever the place of its cursor", async () => {
    const { answer } = await search({ prefix: "name-1000", after: { name: "a", hash: "0" } });
    expect(new Set(namesOf(answer))).toEqual(new Set(["name-1000"]));
  });
});

it("the list reads what it shows, on every page", async () => {
  for (const after of [undefined, { firstPush: 20_000, hash: hashOfMany(20_000) }]) {
    const { answer, rows } = await asking((c) => listPaths(c, { limit: 100, ...(after && { after }) }));
    expect(answer.paths[0]?.hash).toBe(hashOfMany(after === undefined ? MANY - 1 : 19_999));
    expect(rows).toBeLessThanOrEqual(202);
  }
});

it("the statistics read some rows", async () => {
  const { rows } = await asking(statsOf);
  expect(rows).toBeLessThan(100);
});

it("the metrics read as few", async () => {
  const { rows } = await asking(metricsOf);
  expect(rows).toBeLessThan(100);
});

describe("the detail of a path", () => {
  /** A path that refers to the end of the chain of 30,000. */
  async function detailOf(name: string, references: readonly string[]) {
    const path = await testPath(name, name, { references: references.slice(0, 1) });
    await publishPath(path);
    await inCatalog(({ sql }) =>
      sql.exec(
        "UPDATE paths SET narinfo = replace(narinfo, ?, ?) WHERE hash = ?",
        `References: ${references[0]}`,
        `References: ${references.join(" ")}`,
        hashOf(path),
      ),
    );
    return asking((c) => pathDetail(c, hashOf(path)));
  }
  const nameOf = (n: number) => `${hashOfMany(n)}-name-${n % 7919}`;

  it("says a small closure exactly", async () => {
    const { answer } = await detailOf("top-0", [nameOf(9)]);
    expect(answer.closure).toMatchObject({ paths: 11, missing: 0, more: false });
  });

  it("counts a long closure up to its bound", async () => {
    const { answer, rows } = await detailOf("top-1", [nameOf(MANY - 1)]);
    expect(answer.closure).toMatchObject({ paths: MAX_CLOSURE, missing: 0, more: true });
    expect(rows).toBeLessThan(3 * MAX_CLOSURE + 100);
  });

  it("counts a broad closure up to its bound", async () => {
    // Thousands of references each, most of them to the same paths.
    await inCatalog(({ sql }) => {
      for (let path = 0; path < 200; path++) {
        const some = Array.from({ length: 3000 }, (_, n) => nameOf((path * 100 + n) % MANY));
        sql.exec(
          "UPDATE paths SET narinfo = ? WHERE hash = ?",
          `References: ${some.join(" ")}\n`,
          hashOfMany(path),
        );
      }
    });
    const { answer, rows } = await detailOf("top-2", [nameOf(0)]);
    expect(answer.closure).toMatchObject({ missing: 0, more: true });
    expect(rows).toBeLessThan(3 * MAX_CLOSURE + 5000);
    const { answer: all } = await detailOf(
      "top-3",
      Array.from({ length: 12_000 }, (_, n) => nameOf(n)),
    );
    expect(all).toMatchObject({ reference_count: 12_000, closure: { more: true } });
    expect(all.references).toHaveLength(1000);
    expect(all.closure.paths).toBeLessThanOrEqual(MAX_CLOSURE);
  });

  it("counts what is missing as well", async () => {
    const absent = (n: number) => `${"a".repeat(20)}${String(n).padStart(12, "0")}-absent`;
    const { answer, rows } = await detailOf("top-4", [
      nameOf(300),
      ...Array.from({ length: 12_000 }, (_, n) => absent(n)),
    ]);
    expect(answer.closure.paths + answer.closure.missing).toBe(MAX_CLOSURE);
    expect(answer.closure.more).toBe(true);
    expect(answer.missing_references).toHaveLength(999);
    expect(rows).toBeLessThan(3 * MAX_CLOSURE + 5000);
  });

  it("counts referrers up to a bound", async () => {
    const path = await testPath("libc");
    await publishPath(path);
    await inCatalog(({ sql }) =>
      sql.exec("INSERT INTO refs (referrer, reference) SELECT hash, ? FROM paths", hashOf(path)),
    );
    const { answer, rows } = await asking((c) => pathDetail(c, hashOf(path)));
    expect(answer).toMatchObject({ referrer_count: 10_000, more_referrers: true });
    expect(answer.referrers).toHaveLength(1000);
    expect(rows).toBeLessThan(15_000);
  });

  it("names some of many other builds", async () => {
    const path = await testPath("fickle");
    await publishPath(path);
    await inCatalog(({ sql }) => {
      for (let n = 0; n < 300; n++) {
        sql.exec("INSERT INTO differing_builds VALUES (?, ?, 1, ?, 0, '')", hashOf(path), `sha256:${n}`, n);
        sql.exec("INSERT INTO differing_realisations VALUES (?, ?, 'x', ?, 0, '')", hashOf(path), `${n}`, n);
      }
    });
    const { answer, rows } = await asking((c) => pathDetail(c, hashOf(path)));
    expect([answer.differing_builds, answer.differing_realisations].map(({ length }) => length)).toEqual([
      100, 100,
    ]);
    expect(rows).toBeLessThan(1500);
  });
});
