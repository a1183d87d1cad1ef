// Runs a command whose builds are pushed while it runs: by a hook of its own, in the environment of the command.
import { type ChildProcess, spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { isatty } from "node:tty";
import { Failure, isSystemError, lineOf } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";
import { type PushBatch, type Served, serve } from "./daemon.ts";
import { notesIn } from "./notes.ts";
import { hookScript } from "./script.ts";

export interface Watched extends Served {
  /** The command's exit code, or 128 and the number of the signal that ended it, as a shell has it. */
  readonly code: number;
  /** How many paths were pushed. */
  readonly pushed: number;
}

export interface Watching {
  readonly command: readonly string[];
  readonly env: Env;
  readonly client: readonly string[];
  /** The hook that Nix is configured with, which runs, too. */
  readonly before?: string | undefined;
  readonly push: PushBatch;
  readonly say: (line: string) => void;
}

/** Throws {@link Failure} where the command cannot be run. */
export async function watchExec({ command, env, client, before, push, say }: Watching): Promise<Watched> {
  const dir = mkdtempSync(join(tmpdir(), "nix-cache-"));
  const stop = new AbortController();
  let pushed = 0;
  const counting: PushBatch = async (paths) => {
    const failed = await push(paths);
    pushed += paths.length - failed.length;
    return failed;
  };
  const hook = join(dir, "hook");
  writeFileSync(hook, hookScript({ client, dir, before }));
  chmodSync(hook, 0o755);
  const served = serve({ dir, push: counting, stop: stop.signal, say });
  try {
    // Where that fails, as on a full disk, the command goes on, and its hook must stay.
    served.catch((error) => say(`what is built is not pushed: ${lineOf(error)}`));
    const code = await run(command, withHook(env, hook));
    stop.abort();
    const { left } = await served.catch(() => ({ left: notesIn(dir).length || 1 }));
    return { code, left, pushed };
  } finally {
    stop.abort();
    await served.catch(() => undefined);
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Nix takes its configuration from the variable last of all, and hands it over to a daemon that trusts the user. */
function withHook(env: Env, hook: string): NodeJS.ProcessEnv {
  const config = [env.NIX_CONFIG, `post-build-hook = ${hook}`].filter(Boolean).join("\n");
  return { ...env, NIX_CONFIG: config } as NodeJS.ProcessEnv;
}

const PASSED = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

function run([program = "", ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((done, fail) => {
    let child: ChildProcess | undefined;
    // A terminal sends Ctrl-C to both; what is built by then is pushed.
    const isInTerminal = [0, 1, 2].some((descriptor) => isatty(descriptor));
    const pass = (signal: NodeJS.Signals) => {
      if (signal !== "SIGINT" || !isInTerminal) child?.kill(signal);
    };
    // Before it starts: a signal must not end this process alone.
    for (const signal of PASSED) process.on(signal, pass);
    child = spawn(program, args, { env, stdio: "inherit" });
    const ended = () => {
      for (const signal of PASSED) process.off(signal, pass);
    };
    child.on("error", (error) => {
      ended();
      const reason = isSystemError(error, "ENOENT") ? "there is no such program" : error.message;
      fail(new Failure("usage", `cannot run ${program}: ${reason}`));
    });
    child.on("exit", (code, signal) => {
      ended();
      done(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
