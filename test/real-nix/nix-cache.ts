// Runs the client program of this project as the user of a Nix.
import { resolve } from "node:path";
import { execute, type Result } from "./execute.ts";
import type { Client } from "./nix.ts";

const MAIN = resolve(import.meta.dirname, "../../src/client/main.ts");

/** Runs `nix-cache ARGS` for the cache at `url` with the client's store and this token. */
export function nixCache(
  client: Client,
  url: string,
  token: string | undefined,
  ...args: string[]
): Promise<Result> {
  return runNixCache(
    client,
    { NIX_CACHE_URL: url, ...(token !== undefined && { NIX_CACHE_TOKEN: token }) },
    ...args,
  );
}

/** The same with these variables of the environment. */
export function runNixCache(
  client: Client,
  more: Record<string, string>,
  ...args: string[]
): Promise<Result> {
  const env = { ...client.env, CI: "1", ...more };
  return execute(process.execPath, [MAIN, ...args], { env, cwd: client.env.TMPDIR ?? "/" });
}
