// The files of the configuration: wrangler.toml, which is the program's, one's own settings, and what is made of both.
import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Table } from "./table.ts";

/** A mistake in a file. The message has one line for each. */
export class ConfigurationError extends Error {}

export interface Files {
  /** wrangler.toml. */
  readonly base: Table;
  /** One's own settings; empty where there is no such file. */
  readonly own: Table;
  /** As messages call the file of `own`; `undefined` where there is none. */
  readonly ownName: string | undefined;
}

/**
 * The file of one's own settings; `undefined` where there is none. NIX_CACHE_SETTINGS names another than nix-cache.toml,
 * for a second cache. Throws {@link ConfigurationError} where that is missing.
 */
export function ownFile(root: string, env = process.env): string | undefined {
  const given = env.NIX_CACHE_SETTINGS;
  const name = given || "nix-cache.toml";
  if (existsSync(resolve(root, name))) return name;
  if (given) throw new ConfigurationError(`NIX_CACHE_SETTINGS: there is no file ${resolve(root, name)}`);
  return undefined;
}

/** Reads both. Throws {@link ConfigurationError} for one that is missing or no TOML. */
export async function readFiles(root: string): Promise<Files> {
  const ownName = ownFile(root);
  const base = await readToml(join(root, "wrangler.toml"), "wrangler.toml");
  return { base, own: ownName === undefined ? {} : await readToml(resolve(root, ownName), ownName), ownName };
}

/** By wrangler's own parser, which loads much faster alone. */
export async function readToml(path: string, name: string): Promise<Table> {
  try {
    const { parse } = await import("smol-toml");
    return parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new ConfigurationError(`${name}: ${tomlMistake(error)}`);
  }
}

/** The parser's message has the lines around the mistake, too: they may have a secret. */
function tomlMistake(error: unknown): string {
  const { message, line } = { message: "cannot be read", ...(error as Mistake | null) };
  const [first = ""] = message.split("\n");
  return `${first.replace(/^Invalid TOML document: /, "")}${line === undefined ? "" : `, in line ${line}`}`;
}

interface Mistake {
  readonly message?: string;
  readonly line?: number;
}

/**
 * Writes a configuration for wrangler's `--config` and returns its path. It is beside wrangler.toml, because wrangler
 * takes paths, `.dev.vars` and the local state from there. Git ignores it.
 */
export async function writeMerged(root: string, use: "deploy" | "local", merged: Table): Promise<string> {
  const path = join(root, `nix-cache.${use}.json`);
  await writeFile(path, `${JSON.stringify(merged, undefined, 2)}\n`);
  return path;
}
