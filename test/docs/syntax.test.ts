// Every example of Nix, TOML, YAML and JSON in README.md and docs/ is well-formed; a TOML example of the Worker's
// variables is a configuration without a mistake.
import { execFileSync } from "node:child_process";
import { parse as parseToml } from "smol-toml";
import { afterAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { parseConfig } from "../../src/config/config.ts";
import type { Env } from "../../src/env.ts";
import { describeNix, newClient, removeScratch } from "../real-nix/nix.ts";
import { documents, fencesOf } from "./markdown.ts";

const LANGUAGES = ["sh", "text", "nix", "toml", "yaml", "json", "ini", "dockerfile", "sql", "ts", "mermaid"];

const examples = documents().flatMap((document) =>
  fencesOf(document).map(({ language, line, body }) => ({
    language,
    at: `${document.file}:${line}`,
    text: body.join("\n"),
  })),
);
const of = (language: string) => examples.filter((example) => example.language === language);

test("every block names a language, and one that is known", () => {
  const unknown = examples.filter(({ language }) => !LANGUAGES.includes(language));
  expect(unknown.map(({ at, language }) => `${at}: ${language || "none"}`)).toEqual([]);
});

describe("is well-formed:", () => {
  test.each(of("json"))("$at", ({ text }) => {
    JSON.parse(text);
  });

  test.each(of("yaml"))("$at", ({ text }) => {
    for (const { errors } of parseAllDocuments(text)) expect(errors).toEqual([]);
  });

  test.each(of("toml"))("$at", ({ text }) => {
    parseToml(text);
  });
});

describe("is a configuration without a mistake:", () => {
  const configured = of("toml").flatMap(({ at, text }) => {
    const { vars = {}, ...others } = parseToml(text);
    const top = Object.entries(others).filter(([name]) => /^[A-Z_]+$/.test(name));
    const variables = { ...(vars as object), ...Object.fromEntries(top) };
    return Object.keys(variables).length > 0 ? [{ at, variables }] : [];
  });

  test.each(configured)("$at", ({ variables }) => {
    const bindings = { BUCKET: {}, CATALOG: {} };
    expect(parseConfig({ ...bindings, ...variables } as unknown as Env).problems).toEqual([]);
  });
});

describeNix("Nix parses", () => {
  const { env } = newClient();
  afterAll(removeScratch);

  test.each(of("nix"))("$at", ({ text }) => {
    // Some are attributes of a set.
    const first = text.split("\n").find((line) => !/^\s*(#|$)/.test(line)) ?? "";
    const expression = /^[\w.-]+ =/.test(first) ? `{\n${text}\n}` : text;
    execFileSync("nix-instantiate", ["--parse", "-"], { env, input: expression, encoding: "utf8" });
  });
});
