/** Findings: their counts are kept, and those of an earlier run go in steps. */
import { reset } from "cloudflare:test";
import { afterEach, expect, it } from "vitest";
import { CHECK } from "../../../src/catalog/check/check.ts";
import type { CatalogContext } from "../../../src/catalog/context.ts";
import { metered } from "../../../src/catalog/meter.ts";
import { findingsOf, note } from "../../../src/catalog/rows/findings.ts";
import { continueRuns, requestRun } from "../../../src/catalog/runs/engine.ts";
import { rowsOf } from "../../support/catalog.ts";
import { check, inCatalog } from "../../support/runs.ts";

afterEach(() => reset());

const MANY = 60_000;

/** As a check leaves them that has found so many NARs missing. */
function leaveFindings(c: CatalogContext): void {
  c.sql.exec(
    `WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?)
     INSERT INTO findings (run, kind, name, detail, repaired)
     SELECT 'check', 'missing-nar', 'nar/' || i, 'it is not in the bucket', 0 FROM n`,
    MANY,
  );
  c.sql.exec(
    "INSERT INTO finding_counts (run, kind, count, repaired) VALUES ('check', 'missing-nar', ?, 0)",
    MANY,
  );
}

it("one that is noted again counts once, also when it is repaired then", async () => {
  const found = await inCatalog((c) => {
    for (const isRepaired of [false, false, true, true])
      note(c, "check", "missing-nar", "a", "x", isRepaired);
    note(c, "check", "missing-nar", "b", "x", true);
    note(c, "check", "missing-nar", "b", "y", false);
    note(c, "gc", "stuck-deletion", "a", "x");
    return findingsOf(c, "check", "missing-nar", 1);
  });
  expect(found).toEqual({ count: 2, repaired: 1, first: [{ name: "a", detail: "x", repaired: true }] });
});

it("a report of many reads few rows", async () => {
  const { report, spent } = await inCatalog(async (c) => {
    await check(c);
    leaveFindings(c);
    const { context, spent } = metered(c);
    return { report: CHECK.status(context), spent: spent() };
  });
  expect(report?.findings["missing-nar"].count).toBe(MANY);
  expect(spent.rows_read).toBeLessThan(1000);
});

it("many of the last run go in steps, before the next looks at anything", async () => {
  const costs = await inCatalog(async (c) => {
    await check(c);
    leaveFindings(c);
    const costs: number[] = [];
    const step = async (run: (c: CatalogContext) => Promise<unknown>) => {
      const { context, spent } = metered(c);
      const result = await run(context);
      costs.push(spent().rows_written);
      return result;
    };
    const report = await step((context) => requestRun(context, CHECK, {}));
    expect(report).toMatchObject({ done: false, clean: true });
    for (let alarm = 0; alarm < 10; alarm++) await step((context) => continueRuns(context, [CHECK]));
    expect(CHECK.status(c)).toMatchObject({ done: true, clean: true });
    return costs;
  });
  expect(Math.max(...costs)).toBeLessThan(30_000);
  expect(await rowsOf("SELECT name FROM findings")).toEqual([]);
});
