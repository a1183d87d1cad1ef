// nginx with the same files from the disk: the limit of this machine. Its own configuration, loopback only.
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { freePort } from "../test/support/free-port.ts";
import type { StoredObject } from "./objects.ts";
import { type Program, startProgram } from "./program.ts";

export interface Nginx extends Program {
  /** The directory that it serves. */
  readonly root: string;
}

/** Further directories, which a user's PATH often lacks. */
const PROGRAMS = ["nginx", "/usr/sbin/nginx"];

/** `undefined` without nginx on this machine. */
export async function startNginx(dir: string): Promise<Nginx | undefined> {
  const program = PROGRAMS.find((name) => spawnSync(name, ["-v"]).status === 0);
  if (program === undefined) return undefined;
  const root = join(dir, "root");
  mkdirSync(join(root, "nar"), { recursive: true });
  const port = await freePort();
  const config = join(dir, "nginx.conf");
  writeFileSync(config, configuration(dir, root, port));
  const log = join(dir, "error.log");
  return { ...(await startProgram(program, ["-p", dir, "-c", config, "-e", log], { port, log })), root };
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
