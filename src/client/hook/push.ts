// A batch of the queue, pushed by `nix-cache push` in a process of its own: what happens there leaves the daemon as it is.
import { spawn } from "node:child_process";
import { EXIT } from "../ground/exit.ts";
import { Failure } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { validPaths } from "../store/valid.ts";
import type { PushBatch } from "./daemon.ts";

export interface Pushing {
  /** The client's command: Node and its file. */
  readonly client: readonly string[];
  /** Flags of `push`. */
  readonly flags: readonly string[];
  readonly env: Env;
}

/** The client that is running, as a command. */
export function thisClient(): string[] {
  return [process.execPath, process.argv[1] ?? ""];
}

export function pushingBy({ client, flags, env }: Pushing): PushBatch {
  return async (paths) => {
    // The garbage collector may have been faster.
    const valid = await validPaths(paths, env);
    if (valid.length === 0) return [];
    const { code, stdout } = await run(
      [...client, "push", "--stdin", "--json", "--quiet", ...flags],
      env,
      valid,
    );
    if (code === EXIT.done) return [];
    if (code === EXIT.partly) return failedOf(stdout, valid);
    throw new Failure("failed", `nothing was pushed (exit code ${code}${errorIn(stdout)})`);
  };
}

function run([program = "", ...args]: readonly string[], env: Env, paths: readonly string[]) {
  return new Promise<{ code: number; stdout: string }>((done, fail) => {
    // A process group of its own, so that Ctrl-C does not reach it: what is noted is pushed.
    const child = spawn(program, args, {
      env: env as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.on("error", fail);
    child.on("close", (code) => done({ code: code ?? EXIT.failed, stdout }));
    child.stdin.on("error", () => undefined);
    child.stdin.end(paths.map((path) => `${path}\n`).join(""));
  });
}

/** Those of the paths that `push --json` names as failed; all, where it names none of them. */
function failedOf(stdout: string, paths: readonly string[]): string[] {
  const failed = paths.filter((path) => stdout.includes(JSON.stringify(path)));
  return failed.length === 0 ? [...paths] : failed;
}

function errorIn(stdout: string): string {
  const [, error] = /"error":\s*("(?:[^"\\]|\\.)*")/.exec(stdout) ?? [];
  return error === undefined ? "" : `: ${JSON.parse(error)}`;
}
