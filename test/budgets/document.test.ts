/** docs/internals/budgets.md shows the budgets that the tests count against. */
import { expect, it } from "vitest";
import document from "../../docs/internals/budgets.md?raw";
import { budgetTable, END, START } from "./budgets.ts";

it("has the table of now: `npm run budgets` writes it", () => {
  const table = document.slice(document.indexOf(START) + START.length, document.indexOf(END));
  expect(table.trim()).toBe(budgetTable());
});
