// Starts the Worker as its users do on their machines, by `wrangler dev`, with an empty bucket and
// its own configuration.
import { spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { freePort } from "../support/free-port.ts";
import { scratchDir } from "./client.ts";

const PROJECT = resolve(import.meta.dirname, "../..");
const WRANGLER = join(PROJECT, "node_modules/wrangler/bin/wrangler.js");
const START_MS = 120_000;

/**
 * Runs its arguments in a process group of their own, because wrangler starts more programs, and ends the
 * whole group when they end or when standard input does: also when the tests are killed.
 */
const WATCH = '{ "$@"; kill -KILL 0; } & cat >/dev/null; kill -KILL 0';

export type Server = {
  url: string;
  port: number;
  /** The process group of wrangler and all that it started. */
  group: number;
  stop: () => Promise<void>;
};

/**
 * Starts a server with these variables (PUSH_TOKEN, SIGNING_KEY...) and nothing from `.dev.vars`. In `dir` it keeps its
 * bucket and catalog: another server may go on with them when this one has stopped, which is by SIGKILL. `environment` is
 * that of wrangler itself.
 */
export async function startServer(
  variables: Record<string, string> = {},
  dir = scratchDir(),
  environment: Record<string, string> = {},
): Promise<Server> {
  for (;;) {
    try {
      return await tryToStart(variables, dir, environment);
    } catch (error) {
      // Between the question for a free port and its use another program has taken it.
      if (!/address already in use/i.test(String(error))) throw error;
    }
  }
}

async function tryToStart(
  variables: Record<string, string>,
  dir: string,
  environment: Record<string, string>,
): Promise<Server> {
  // A named env file takes the place of the developer's own `.dev.vars`.
  const envFile = join(dir, "env");
  writeFileSync(
    envFile,
    // Tests that are not about upstreams ask none.
    Object.entries({ UPSTREAMS: "[]", ...variables })
      .map(([name, value]) => `${name}='${value}'\n`)
      .join(""),
  );
  const port = await freePort();
  const wrangler = [
    ...[process.execPath, WRANGLER, "dev"],
    ...["--ip", "127.0.0.1", "--port", String(port), "--inspector-port", String(await freePort())],
    ...["--persist-to", join(dir, "state"), "--env-file", envFile],
    ...["--show-interactive-dev-session=false", "--log-level", "warn"],
  ];
  const child = spawn("/bin/sh", ["-c", WATCH, "sh", ...wrangler], {
    cwd: PROJECT,
    detached: true,
    // Over the last one wrangler says that it listens: /bin/sh hands it on.
    stdio: ["pipe", "pipe", "pipe", "ipc"],
    env: { ...process.env, ...environment, WRANGLER_SEND_METRICS: "false", CI: "1", NO_COLOR: "1" },
  });
  let output = "";
  const keep = (chunk: Buffer) => {
    output += chunk;
  };
  child.stdout?.on("data", keep);
  child.stderr?.on("data", keep);
  const listening = new Promise<void>((done) => child.on("message", () => done()));
  const ended = new Promise<void>((done) => child.on("close", () => done()));
  const endedEarly = ended.then(() => {
    throw new Error("wrangler dev ended before it served");
  });
  const stop = () => {
    child.stdin?.end();
    return ended;
  };
  const url = `http://127.0.0.1:${port}`;
  try {
    // At the port another server may answer, which has taken it meanwhile.
    await Promise.race([listening, endedEarly]);
    await Promise.race([healthy(url), endedEarly]);
  } catch (error) {
    await stop();
    throw new Error(`${String(error)}\n${output}`);
  }
  return { url, port, group: child.pid ?? 0, stop };
}

/** Resolves when /health reports success. */
async function healthy(url: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    if (Date.now() > deadline) throw new Error(`${url}/health was not 200 within ${START_MS} ms`);
    try {
      const response = await fetch(`${url}/health`);
      await response.arrayBuffer();
      if (response.status === 200) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}
