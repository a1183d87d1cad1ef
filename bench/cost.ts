// `npm run cost`: writes the tables of cost-tables.ts into docs/operating/costs-and-limits.md, and prints them.
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { allTables, withTables } from "./cost-tables.ts";

const file = join(import.meta.dirname, "../docs/operating/costs-and-limits.md");
writeFileSync(file, withTables(readFileSync(file, "utf8")));
console.log(allTables());
