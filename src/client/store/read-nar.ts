// The NAR of a path of the local store: from its files, or where they are elsewhere, from Nix.
import { spawn } from "node:child_process";
import { lstatSync } from "node:fs";
import { Failure, isSystemError } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { dumpNar } from "./dump-nar.ts";
import { errorIn, nixEnv, nixVersion, notRun } from "./nix.ts";
import { placeOf } from "./place.ts";

/** Its chunks. Throws {@link Failure} or Node's errors. */
export async function* readNar(path: string, env: Env): AsyncGenerator<Buffer> {
  const onDisk = placeOf(env).root + path;
  if (exists(onDisk)) yield* dumpNar(onDisk);
  else yield* dumpByNix(path, env);
}

function exists(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    // The store is on another machine, or below a root that only Nix's configuration names.
    if (isSystemError(error, "ENOENT", "ENOTDIR", "EACCES")) return false;
    throw error;
  }
}

async function* dumpByNix(path: string, env: Env): AsyncGenerator<Buffer> {
  const [major, minor] = await nixVersion(env);
  const command = major > 2 || minor >= 4 ? ["store", "dump-path"] : ["dump-path"];
  const child = spawn("nix", [...command, path], { env: nixEnv(env), stdio: ["ignore", "pipe", "pipe"] });
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const ended = new Promise<number>((done, fail) => {
    child.on("error", (error) => fail(notRun("nix", error)));
    child.on("close", (code) => done(code ?? 1));
  });
  // Awaited below, unless the reader stops before.
  ended.catch(() => undefined);
  try {
    yield* child.stdout;
    if ((await ended) !== 0) throw new Failure("failed", `nix ${command.join(" ")}: ${errorIn(stderr)}`);
  } finally {
    child.kill();
  }
}
