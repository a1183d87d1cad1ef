// Part of `npm run check`: links and anchors of the documents, files of docs/ that the source names, and sizes that a
// reader sees. Addresses of other sites are not visited.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import {
  anchorsOf,
  type Document,
  documents,
  linksOf,
  PROJECT,
  proseOf,
  read,
} from "../test/docs/markdown.ts";

const MAX_README_BYTES = 10_000;
/** A table that is wider scrolls, on GitHub and in an editor. */
const MAX_TABLE_COLUMNS = 120;

const problems: string[] = [];
const all = documents();
const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: PROJECT, encoding: "utf8" })
  .split("\0")
  .filter((file) => file !== "" && existsSync(join(PROJECT, file)));

/** What is wrong with a link to `path`, relative to the project, or to its heading `anchor`. */
function problemOf(path: string, anchor: string): string | undefined {
  if (!existsSync(join(PROJECT, path))) return `there is no ${path}`;
  if (anchor === "") return undefined;
  if (!path.endsWith(".md")) return `${path} has no anchors`;
  return anchorsOf(read(path)).has(decodeURIComponent(anchor))
    ? undefined
    : `${path} has no heading #${anchor}`;
}

function checkLinks(document: Document): void {
  for (const { target, line } of linksOf(document)) {
    if (/^[a-z]+:/.test(target)) continue;
    const [path = "", anchor = ""] = target.split("#");
    const file =
      path === "" ? document.file : normalize(join(dirname(document.file), decodeURIComponent(path)));
    const problem = problemOf(file, anchor);
    if (problem !== undefined) problems.push(`${document.file}:${line}: ${problem}`);
  }
}

/** Names the widest row of each table. */
function checkTables(document: Document): void {
  let widest = { line: 0, columns: MAX_TABLE_COLUMNS };
  for (const [index, text] of [...proseOf(document), ""].entries()) {
    if (/^\s*\|/.test(text)) {
      if (text.length > widest.columns) widest = { line: index + 1, columns: text.length };
      continue;
    }
    if (widest.line > 0) {
      const { line, columns } = widest;
      problems.push(`${document.file}:${line}: a table of ${columns} columns, at most ${MAX_TABLE_COLUMNS}`);
    }
    widest = { line: 0, columns: MAX_TABLE_COLUMNS };
  }
}

/** Comments and messages name documents by their path in the project. */
function checkMentions(file: string): void {
  for (const [index, text] of readFileSync(join(PROJECT, file), "utf8").split("\n").entries()) {
    for (const [, path = "", anchor = ""] of text.matchAll(/\b(docs\/[\w./-]+\.md)(?:#([\w-]+))?/g)) {
      const problem = problemOf(path, anchor);
      if (problem !== undefined) problems.push(`${file}:${index + 1}: ${problem}`);
    }
  }
}

for (const document of [...all, read("bench/README.md")]) checkLinks(document);
for (const document of all) checkTables(document);
for (const file of tracked.filter((name) => !name.endsWith(".md") && /^(src|nixos|ci|[^/]+$)/.test(name))) {
  checkMentions(file);
}
const bytes = readFileSync(join(PROJECT, "README.md")).length;
if (bytes > MAX_README_BYTES) problems.push(`README.md: ${bytes} bytes, at most ${MAX_README_BYTES}`);

for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
else console.log(`${all.length} documents: links, anchors, tables and sizes are right`);
