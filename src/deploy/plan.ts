// What a deployment will be made of: both files, what they give together, and what is wrong with them.
import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Deployment } from "../config/config.ts";
import { additions } from "./changes.ts";
import { devVars } from "./dev-vars.ts";
import { type Files, readFiles, readToml } from "./files.ts";
import { merge } from "./merge.ts";
import { misplaced } from "./misplaced.ts";
import { settingsProblems } from "./settings.ts";
import { type Table, tomlOf } from "./table.ts";
import { parsedConfig, problemsWith, signingNotes, unread, variableProblems } from "./variables.ts";

export interface Plan extends Files {
  readonly merged: Table;
  readonly config: Deployment;
  /** One line for each mistake. */
  readonly problems: readonly string[];
  /** What is no mistake, and yet worth knowing. */
  readonly notes: readonly string[];
  /** Mistakes that a local cache would have beside these, with the secrets of this machine. */
  readonly localProblems: readonly string[];
}

/** Throws a ConfigurationError for a file that cannot be read. */
export async function planOf(root: string): Promise<Plan> {
  const files = await readFiles(root);
  const merged = merge(files.base, files.own);
  // What stands in the wrong place is told once.
  const placed = merge(files.base, misplaced(files.own).rest);
  const config = await parsedConfig(placed);
  const ofSettings = settingsProblems(files.own, files.base);
  const ofVariables = await variableProblems(config);
  const ofWrangler = ofSettings.length > 0 ? [] : await wranglerProblems(merged);
  const problems = [...ofSettings, ...ofVariables, ...ofWrangler];
  const notes = [
    ...unread(placed, problems),
    ...signingNotes(placed),
    ...(await editedNote(root, files.base)),
  ];
  const localProblems = await problemsHere(root, placed, problems);
  return { ...files, merged, config, problems, notes, localProblems };
}

async function problemsHere(root: string, merged: Table, problems: readonly string[]): Promise<string[]> {
  const secrets = await devVars(root);
  if (secrets === undefined) return [];
  return (await problemsWith(merged, secrets)).filter((line) => !problems.includes(line));
}

/** How to move one's changes of wrangler.toml, which every update may change, too. */
async function editedNote(root: string, base: Table): Promise<string[]> {
  const committed = committedText(root);
  if (committed === undefined) return [];
  const moved = additions(await parsed(committed), base);
  if (Object.keys(moved).length === 0) return [];
  const lines = [
    "wrangler.toml was edited, so that updates may conflict with it. Move these lines into nix-cache.toml, then run 'git checkout wrangler.toml':",
    ...tomlOf(moved).map((line) => (line === "" ? "" : `    ${line}`)),
  ];
  return [lines.join("\n")];
}

/** As of the last commit; `undefined` without git, as in an unpacked archive. */
function committedText(root: string): string | undefined {
  try {
    return execFileSync("git", ["show", "HEAD:./wrangler.toml"], {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  } catch {
    // There is nothing to compare with.
    return undefined;
  }
}

function parsed(text: string): Promise<Table> {
  return withFile("wrangler.toml", text, (path) => readToml(path, "wrangler.toml"));
}

/** What wrangler itself refuses, such as a placement that there is not. */
function wranglerProblems(merged: Table): Promise<string[]> {
  return withFile("wrangler.json", JSON.stringify(merged), async (config) => {
    const { unstable_readConfig: readConfig } = await import("wrangler");
    try {
      readConfig({ config }, { hideWarnings: true });
      return [];
    } catch (error) {
      // A heading, and below it a line for each mistake.
      const [heading = "", ...lines] = (error instanceof Error ? error.message : String(error)).split("\n");
      return lines.length === 0 ? [heading] : lines.map((line) => line.replace(/^ *- /, ""));
    }
  });
}

async function withFile<T>(name: string, text: string, use: (path: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), "nix-cache-"));
  try {
    const path = join(directory, name);
    await writeFile(path, text);
    return await use(path);
  } finally {
    await rm(directory, { recursive: true });
  }
}
