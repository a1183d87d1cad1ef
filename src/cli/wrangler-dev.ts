// Runs `wrangler dev` on the terminal of this process and receives its address.
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Address } from "./instructions.ts";

export type Listening = Pick<Address, "ip" | "port">;

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

const WRANGLER = "node_modules/wrangler/bin/wrangler.js";

/** Ends wrangler where this process is killed: left alone, it would keep the port and the data. */
const ENDS_WITH_US = `data:text/javascript,process.on("disconnect", () => process.kill(process.pid, "SIGTERM"))`;

export function isInstalled(root: string): boolean {
  return existsSync(join(root, WRANGLER));
}

/**
 * Runs `wrangler dev` in the project at `root` until it ends, and calls `onListening` once it listens. Signals go to
 * it. Returns the code to exit with: its own, or 0 after a signal, because a requested stop is no failure.
 */
export async function runWranglerDev(
  root: string,
  args: readonly string[],
  onListening: (listening: Listening) => Promise<void>,
): Promise<number> {
  const wrangler = spawn(process.execPath, ["--import", ENDS_WITH_US, join(root, WRANGLER), "dev", ...args], {
    cwd: root,
    // wrangler sends its address to a parent that gives it an IPC channel.
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: {
      WRANGLER_SEND_METRICS: "false",
      WRANGLER_HIDE_BANNER: "true",
      // The cache does not use request.cf, so wrangler need not fetch it from Cloudflare on every start.
      CLOUDFLARE_CF_FETCH_ENABLED: "false",
      ...process.env,
    },
  });
  let isStopping = false;
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      isStopping = true;
      wrangler.kill(signal);
    });
  }
  return new Promise((done, fail) => {
    wrangler.on("error", fail);
    wrangler.on("exit", (code) => done(isStopping ? 0 : (code ?? 1)));
    wrangler.on("message", (message) => {
      const listening = readListening(message);
      if (listening === undefined) return;
      onListening(listening).catch((error: unknown) => {
        // A server that is shutting down does not answer.
        if (isStopping) return;
        wrangler.kill("SIGTERM");
        fail(error);
      });
    });
  });
}

/** wrangler's message, `{"event":"DEV_SERVER_READY","ip":...,"port":...}` as text; `undefined` for any other. */
function readListening(message: unknown): Listening | undefined {
  const event = typeof message === "string" ? parseJson(message) : undefined;
  if (typeof event !== "object" || event === null || !("ip" in event) || !("port" in event)) return undefined;
  const { ip, port } = event;
  return typeof ip === "string" && typeof port === "number" ? { ip, port } : undefined;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not for us.
    return undefined;
  }
}
