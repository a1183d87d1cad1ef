/** docs/internals/budgets.md and docs/operating/costs-and-limits.md show what the tests count against. */
import { expect, it } from "vitest";
import { withTables } from "../../bench/cost-tables.ts";
import document from "../../docs/internals/budgets.md?raw";
import costs from "../../docs/operating/costs-and-limits.md?raw";
import { budgetTable, END, START } from "./budgets.ts";

it("has the table of now: `npm run budgets` writes it", () => {
  const table = document.slice(document.indexOf(START) + START.length, document.indexOf(END));
  expect(table.trim()).toBe(budgetTable());
});

it("has the costs of now: `npm run cost` writes them", () => {
  expect(costs).toBe(withTables(costs));
});
