// A store that only Nix can read, such as an S3 bucket: Nix copies its closures into a folder, which is imported.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { cacheDir, type Env } from "../settings/locations.ts";
import { runNix } from "../store/nix.ts";

/** Paths that are copied at once: so much disk is needed. */
const BATCH = 100;

/** All paths of the store at this URL. Throws Failure. */
export async function allPathsOf(store: string, env: Env): Promise<string[]> {
  const { stdout } = await runNix("nix", ["path-info", "--all", "--store", store], { env });
  return stdout.split("\n").filter((line) => line !== "");
}

/** Calls `use` with a folder that has these paths and their closures, some at a time. */
export async function inFolders(
  store: string,
  paths: readonly string[],
  env: Env,
  use: (dir: string, paths: readonly string[]) => Promise<void>,
): Promise<void> {
  mkdirSync(cacheDir(env), { recursive: true });
  for (let at = 0; at < paths.length; at += BATCH) {
    const some = paths.slice(at, at + BATCH);
    const dir = mkdtempSync(join(cacheDir(env), "import-"));
    try {
      await runNix(
        "nix",
        ["copy", "--from", store, "--to", `file://${dir}?compression=zstd`, "--", ...some],
        { env },
      );
      await use(dir, some);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  }
}
