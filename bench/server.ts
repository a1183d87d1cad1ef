// One Worker under `wrangler dev`, in a process group of its own: started, awaited, and stopped with all it started.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { setTimeout } from "node:timers/promises";

export interface Server {
  /** `http://127.0.0.1:PORT`, without a slash at the end. */
  readonly url: string;
  /** The process group of wrangler and all that it started. */
  readonly group: number;
  /** From the start of the process to the first answer. */
  readonly startupMs: number;
  /** Its output: empty unless something is wrong. */
  readonly output: () => string;
  /** Resolves when wrangler has ended; its remaining processes are killed. */
  readonly stop: () => Promise<void>;
}

const ROOT = resolve(import.meta.dirname, "..");
const WRANGLER = join(ROOT, "node_modules/wrangler/bin/wrangler.js");
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 5_000;
const POLL_INTERVAL_MS = 20;

/**
 * Starts the Worker of a wrangler configuration with these variables and secrets; everything that it writes goes to
 * `dir`, its bucket to `dir/state`.
 */
export async function startServer(
  config: string,
  dir: string,
  signal: AbortSignal,
  variables: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const startedAt = performance.now();
  signal.throwIfAborted();
  const envFile = join(dir, "env");
  writeFileSync(
    envFile,
    Object.entries(variables)
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  const child = spawn(
    process.execPath,
    [
      ...[WRANGLER, "dev", "--config", config, "--persist-to", join(dir, "state"), "--env-file", envFile],
      // Port 0: the system chooses one, and wrangler sends it over the IPC channel.
      ...["--ip", "127.0.0.1", "--port", "0", "--inspector-port", "0"],
      // Above "error" wrangler prints a line for each request, which would distort the measurement.
      ...["--log-level", "error", "--show-interactive-dev-session=false"],
    ],
    {
      cwd: dirname(config),
      // wrangler starts workerd and esbuild: its group is ended together.
      detached: true,
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      env: {
        ...process.env,
        CI: "1",
        NO_COLOR: "1",
        TMPDIR: dir,
        CLOUDFLARE_CF_FETCH_ENABLED: "false",
        // wrangler's explorer and its recording of each request: about a fifth of the throughput, and none of the Worker's work.
        X_LOCAL_EXPLORER: "false",
        X_LOCAL_OBSERVABILITY: "false",
        WRANGLER_HIDE_BANNER: "true",
        WRANGLER_SEND_METRICS: "false",
        WRANGLER_LOG_PATH: join(dir, "logs"),
        WRANGLER_REGISTRY_PATH: join(dir, "registry"),
      },
    },
  );
  const output = collectOutput(child);
  const killGroup = () => signalGroup(child, "SIGKILL");
  // Must run before the cleanup that removes its directory.
  process.prependOnceListener("exit", killGroup);
  const stop = async () => {
    await stopGroup(child);
    process.off("exit", killGroup);
  };
  try {
    const url = await listening(child, signal);
    await firstAnswer(url, signal);
    return { url, group: child.pid ?? 0, startupMs: performance.now() - startedAt, output, stop };
  } catch (error) {
    await stop();
    if (signal.aborted) throw signal.reason;
    throw new Error(`${config} did not start: ${String(error)}\n${output()}`);
  }
}

function collectOutput(child: ChildProcess): () => string {
  let text = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on("data", (chunk: Buffer) => {
      text += chunk;
    });
  }
  return () => text;
}

/** The address that wrangler sends to its parent process once it listens. */
function listening(child: ChildProcess, signal: AbortSignal): Promise<string> {
  return new Promise((done, fail) => {
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
    limit.addEventListener("abort", () => fail(limit.reason), { once: true });
    child.once("error", fail);
    child.once("exit", (code) => fail(new Error(`wrangler ended with ${code}`)));
    child.on("message", (message) => {
      const port = typeof message === "string" ? /"port":(\d+)/.exec(message)?.[1] : undefined;
      if (port !== undefined) done(`http://127.0.0.1:${port}`);
    });
  });
}

async function firstAnswer(url: string, signal: AbortSignal): Promise<void> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(START_TIMEOUT_MS)]);
  for (;;) {
    try {
      await (await fetch(`${url}/nix-cache-info`, { signal: limit })).arrayBuffer();
      return;
    } catch (error) {
      // Not up yet, unless it is stopping or stays down.
      if (limit.aborted) throw error;
    }
    await setTimeout(POLL_INTERVAL_MS);
  }
}

/** Asks wrangler to end, then kills the rest of its group. */
async function stopGroup(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null && child.pid !== undefined) {
    const exited = once(child, "exit");
    child.kill("SIGTERM");
    await Promise.race([exited, setTimeout(STOP_TIMEOUT_MS, undefined, { ref: false })]);
  }
  signalGroup(child, "SIGKILL");
}

function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The whole group has gone already.
  }
}
