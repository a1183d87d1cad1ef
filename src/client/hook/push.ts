// A batch of the queue, pushed as `nix-cache push` does.
import type { GlobalValues } from "../command/spec.ts";
import { openCache } from "../http/api.ts";
import { type PushOptions, push } from "../push/push.ts";
import { validPaths } from "../store/valid.ts";
import type { PushBatch } from "./daemon.ts";

/** Connections beside those of the NARs, for narinfos. */
const MORE_CONNECTIONS = 16;

/** The client that is running, as a command. */
export function thisClient(): string[] {
  return [process.execPath, process.argv[1] ?? ""];
}

/** The token is read again for each batch, because one in a file may have been replaced by a newer one. */
export function pushingBy(global: GlobalValues, options: PushOptions): PushBatch {
  return async (paths) => {
    // The garbage collector may have been faster.
    const valid = await validPaths(paths, options.env);
    if (valid.length === 0) return [];
    const cache = openCache(global, options.env, { connections: options.jobs + MORE_CONNECTIONS });
    const { failed } = await push(cache, valid, options);
    const [first] = failed;
    const notPushed = new Set(failed.map(({ path }) => path));
    const lost = valid.filter((path) => notPushed.has(path));
    if (first !== undefined && lost.length === valid.length) throw first.error;
    return lost;
  };
}
