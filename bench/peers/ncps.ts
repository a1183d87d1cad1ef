// ncps, a proxy of other caches that also takes uploads, with its files in one directory: NCPS_BIN, else `ncps` on PATH.
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { freePort } from "../../test/support/free-port.ts";
import { type StartPeer, upload } from "../contest.ts";
import type { StoredObject } from "../objects.ts";
import { startProgram } from "../program.ts";
import { startEmptyUpstream } from "./upstream.ts";

const PROGRAM = process.env.NCPS_BIN || "ncps";
/** It takes uploads below this path only. */
const UPLOAD = "/upload";
/** Nothing leaves the machine: without it, ncps reports its use to its authors. */
const QUIET = ["--analytics-reporting-enabled=false", "--log-level", "warn"];

/** "ncps version 0.9.0", or `undefined` without ncps on this machine. */
export function ncpsVersion(): string | undefined {
  const { status, stdout } = spawnSync(PROGRAM, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

/** With its own settings but for an upstream that has nothing, SQLite, and permission to upload. */
export const startNcps: StartPeer = async (dir, signal) => {
  if (ncpsVersion() === undefined) return undefined;
  const stored = join(dir, "stored");
  for (const each of ["stored/files", "tmp"]) mkdirSync(join(dir, each), { recursive: true });
  const database = ["--cache-database-url", `sqlite:${join(stored, "ncps.sqlite")}`];
  const env = { HOME: dir };
  const migrated = spawnSync(PROGRAM, [...QUIET, "migrate", "up", ...database], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  if (migrated.status !== 0) throw new Error(`ncps migrate up: ${migrated.stdout}${migrated.stderr}`);

  const upstream = await startEmptyUpstream();
  const log = join(dir, "ncps.log");
  const port = await freePort();
  const args = [
    ...[...QUIET, "serve", ...database, "--server-addr", `127.0.0.1:${port}`, "--cache-allow-put-verb"],
    ...["--cache-hostname", "bench", "--cache-upstream-url", upstream.url],
    ...["--cache-storage-local", join(stored, "files"), "--cache-temp-path", join(dir, "tmp")],
  ];
  try {
    const program = await startProgram(PROGRAM, args, { port, log, env });
    const put = ({ key, body }: StoredObject) =>
      upload(program.url, { method: "PUT", path: `${UPLOAD}/${key}`, body, status: 204 }, signal);
    const stop = async () => {
      await program.stop();
      await upstream.stop();
    };
    return {
      ...{ name: "ncps", url: program.url, group: program.group, put, stop },
      ...{ pushTo: program.url + UPLOAD, isSigning: true, stored, output: () => readFileSync(log, "utf8") },
    };
  } catch (error) {
    await upstream.stop();
    throw error;
  }
};
