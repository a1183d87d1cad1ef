// The parts of the project's Markdown that can be checked: fenced blocks, headings, links, rows of tables.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

export const PROJECT = resolve(import.meta.dirname, "../..");

export interface Document {
  /** Relative to the project. */
  readonly file: string;
  readonly lines: readonly string[];
}

export interface Fence {
  /** What the opening fence names, such as `sh`; may be empty. */
  readonly language: string;
  /** Of the opening fence, from 1. */
  readonly line: number;
  /** Without the fences and their indentation. */
  readonly body: readonly string[];
  /** The comment in the line before the opening fence. */
  readonly comment: string | undefined;
}

const FENCE = /^(\s*)(```+)\s*([^\s`]*)\s*$/;
const COMMENT = /^\s*<!-- (.*) -->\s*$/;
/** `[text](target)`, images, and the definition of a reference. */
const LINK = /\]\(\s*<?([^\s)>]+)>?(?:\s+"[^"]*")?\s*\)|^\s*\[[^\]]+\]:\s*<?(\S+?)>?\s*$/g;

/** README.md, CHANGELOG.md where there is one, and all of docs/. */
export function documents(): Document[] {
  const inDocs = readdirSync(join(PROJECT, "docs"), { recursive: true, encoding: "utf8" });
  const files = ["README.md", "CHANGELOG.md", ...inDocs.map((name) => `docs/${name}`)];
  return files
    .filter((file) => file.endsWith(".md") && existsSync(join(PROJECT, file)))
    .sort()
    .map(read);
}

export function read(file: string): Document {
  return { file, lines: readFileSync(join(PROJECT, file), "utf8").split("\n") };
}

export function fencesOf({ file, lines }: Document): Fence[] {
  const fences: Fence[] = [];
  for (let at = 0; at < lines.length; at++) {
    const [, indent = "", ticks, language = ""] = FENCE.exec(lines[at] ?? "") ?? [];
    if (ticks === undefined) continue;
    const line = at + 1;
    const end = lines.findIndex((text, index) => index > at && text.trim() === ticks);
    if (end < 0) throw new Error(`${file}:${line}: the block has no end`);
    const body = lines
      .slice(line, end)
      .map((text) => (text.startsWith(indent) ? text.slice(indent.length) : text));
    fences.push({ language, line, body, comment: COMMENT.exec(lines[at - 1] ?? "")?.[1] });
    at = end;
  }
  return fences;
}

/** The lines with those of fenced blocks emptied. */
export function proseOf(document: Document): string[] {
  const prose = [...document.lines];
  for (const { line, body } of fencesOf(document)) prose.fill("", line - 1, line + body.length + 1);
  return prose;
}

/** The anchors that GitHub gives to headings, and those of `<a name>` and `id`. */
export function anchorsOf(document: Document): Set<string> {
  const anchors = new Set<string>();
  for (const line of proseOf(document)) {
    for (const [, name = ""] of line.matchAll(/<[a-z][^>]*\s(?:id|name)="([^"]+)"/g)) anchors.add(name);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\p{M}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    let anchor = slug;
    for (let count = 1; anchors.has(anchor); count++) anchor = `${slug}-${count}`;
    anchors.add(anchor);
  }
  return anchors;
}

/** Targets of links, each with its line, from 1. Those in code are none. */
export function linksOf(document: Document): { target: string; line: number }[] {
  return proseOf(document).flatMap((text, index) =>
    [...text.replace(/`[^`]*`/g, "``").matchAll(LINK)].map(([, target, defined]) => ({
      target: target ?? defined ?? "",
      line: index + 1,
    })),
  );
}
