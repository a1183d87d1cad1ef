// nginx with the same files from the disk: the limit of this machine. Its own configuration, loopback only.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { StoredObject } from "./objects.ts";

export interface Nginx {
  readonly url: string;
  /** The process group. */
  readonly group: number;
  /** The directory that it serves. */
  readonly root: string;
  readonly stop: () => Promise<void>;
}

/** Further directories, which a user's PATH often lacks. */
const PROGRAMS = ["nginx", "/usr/sbin/nginx"];
const START_TIMEOUT_MS = 10_000;

/** `undefined` without nginx on this machine. */
export async function startNginx(dir: string): Promise<Nginx | undefined> {
  const program = PROGRAMS.find((name) => spawnSync(name, ["-v"]).status === 0);
  if (program === undefined) return undefined;
  const root = join(dir, "root");
  mkdirSync(join(root, "nar"), { recursive: true });
  const port = await freePort();
  const config = join(dir, "nginx.conf");
  writeFileSync(config, configuration(dir, root, port));
  const child = spawn(program, ["-p", dir, "-c", config, "-e", join(dir, "error.log")], {
    detached: true,
    stdio: "ignore",
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} did not start`);
  const kill = () => signalGroup(pid, "SIGKILL");
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
  for (const deadline = Date.now() + START_TIMEOUT_MS; ; await setTimeout(20)) {
    try {
      await (await fetch(url)).arrayBuffer();
      return { url, group: pid, root, stop };
    } catch (error) {
      // Not listening yet, or never.
      if (child.exitCode === null && Date.now() < deadline) continue;
      await stop();
      throw new Error(`nginx did not start; see ${dir}/error.log`, { cause: error });
    }
  }
}

/** Stores an object as a file of its directory. */
export function storeFile(root: string, { key, body }: StoredObject): void {
  const file = join(root, key);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, Buffer.concat(body));
}

function configuration(dir: string, root: string, port: number): string {
  // Run by root, its workers would be nobody, who may not read a temporary directory.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${dir}/${name};`,
  );
  return `
daemon off; ${user} worker_processes 1; pid ${dir}/nginx.pid;
events { worker_connections 256; }
http {
  access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; ${temporary.join(" ")}
  types { text/x-nix-narinfo narinfo; application/x-nix-nar nar; text/x-nix-cache-info nix-cache-info; }
  server { listen 127.0.0.1:${port}; root ${root}; log_not_found off; }
}
`;
}

function signalGroup(group: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-group, signal);
  } catch {
    // The whole group has gone already.
  }
}

/** A free TCP port. */
function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.on("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => done(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
