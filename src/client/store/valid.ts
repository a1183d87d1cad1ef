// Which paths are in the store.
import type { Env } from "../settings/locations.ts";
import { runNix } from "./nix.ts";

/** Arguments of one program, far below the system's limit. */
const MAX_ARGUMENTS = 1_000;

/** Those of the paths that are valid. Throws {@link Failure}. */
export async function validPaths(paths: readonly string[], env: Env): Promise<string[]> {
  const invalid = new Set<string>();
  for (let start = 0; start < paths.length; start += MAX_ARGUMENTS) {
    const some = paths.slice(start, start + MAX_ARGUMENTS);
    const { stdout } = await runNix("nix-store", ["--check-validity", "--print-invalid", ...some], { env });
    for (const line of stdout.split("\n")) invalid.add(line);
  }
  return paths.filter((path) => !invalid.has(path));
}
