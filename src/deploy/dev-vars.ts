// The secrets of this machine, `.dev.vars`, which `wrangler dev` reads and git ignores.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseEnv } from "node:util";

/** `undefined` where there is no such file. */
export async function devVars(root: string): Promise<NodeJS.Dict<string> | undefined> {
  const text = await textOf(join(root, ".dev.vars"));
  return text === undefined ? undefined : parseEnv(text);
}

/** The text of a file; `undefined` where there is none. */
export async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}
