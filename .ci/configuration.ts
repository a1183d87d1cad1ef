// `npm run docs:configuration`: writes docs/operating/configuration.md from the tables that the parser and `npm run config`
// read. With --check, as in `npm run check`, it only compares.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { configurationPage } from "../src/deploy/page.ts";

const FILE = "docs/operating/configuration.md";
const path = join(import.meta.dirname, "..", FILE);
const text = configurationPage();

if (process.argv[2] !== "--check") {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
} else if (!existsSync(path) || readFileSync(path, "utf8") !== text) {
  console.error(`${FILE} is not what the tables say: npm run docs:configuration`);
  process.exitCode = 1;
} else console.log(`${FILE} is what the tables say`);
