// `npm run budgets`: writes the table of test/budgets/budgets.ts into docs/internals/budgets.md.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { budgetTable, END, START } from "../test/budgets/budgets.ts";

const file = join(import.meta.dirname, "../docs/internals/budgets.md");
const text = readFileSync(file, "utf8");
const start = text.indexOf(START);
const end = text.indexOf(END);
if (start < 0 || end < start) throw new Error(`docs/internals/budgets.md has lost ${START} or ${END}`);
writeFileSync(file, `${text.slice(0, start)}${START}\n\n${budgetTable()}\n\n${text.slice(end)}`);
