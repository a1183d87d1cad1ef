// One program of this machine that serves HTTP on loopback, in a process group of its own: started, awaited, stopped.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { setTimeout } from "node:timers/promises";

export interface Program {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  /** The process group. */
  readonly group: number;
  readonly stop: () => Promise<void>;
}

export interface Options {
  /** On which it is told to listen. */
  readonly port: number;
  /** A file for its output. */
  readonly log: string;
  readonly env?: Readonly<Record<string, string>>;
}

const START_TIMEOUT_MS = 10_000;
const POLL_INTERVAL_MS = 20;

/** Starts it and waits for its first answer, of whatever status. */
export async function startProgram(
  program: string,
  args: readonly string[],
  { port, log, env }: Options,
): Promise<Program> {
  const output = openSync(log, "a");
  const child = spawn(program, args, {
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, ...env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  const kill = () => signalGroup(pid, "SIGKILL");
  // Must run before the cleanup that removes its directory.
  process.prependOnceListener("exit", kill);
  const stop = async () => {
    const ended = once(child, "exit");
    if (child.exitCode === null) {
      signalGroup(pid, "SIGTERM");
      await ended;
    }
    process.off("exit", kill);
  };
  const url = `http://127.0.0.1:${port}`;
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await setTimeout(POLL_INTERVAL_MS)) {
    try {
      await (await fetch(url)).arrayBuffer();
      return { url, group: pid, stop };
    } catch (error) {
      // Not listening yet, or never.
      if (child.exitCode === null && Date.now() < deadline) continue;
      await stop();
      throw new Error(`${program} did not start; see ${log}`, { cause: error });
    }
  }
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The whole group has gone already.
  }
}
