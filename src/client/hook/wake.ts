// A socket by which a hook wakes the daemon: a connection says that there is a note, and nothing else. systemd may start
// the daemon by it (sd_listen_fds(3)).
import { lstatSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Env } from "../settings/locations.ts";

/** The first descriptor that systemd passes. */
const SD_LISTEN_FDS_START = 3;

/** Calls `onWake` for each connection, to systemd's socket or else to `path`. Resolves to a function that closes it. */
export async function wakeOnConnection(
  path: string | undefined,
  onWake: () => void,
  env: Env = process.env,
): Promise<() => void> {
  const isActivated = env.LISTEN_PID === String(process.pid) && Number(env.LISTEN_FDS) >= 1;
  if (!isActivated && path === undefined) return () => undefined;
  const server = createServer((connection) => {
    connection.on("error", () => undefined);
    connection.destroy();
    onWake();
  });
  // Left by one that was killed; the queue's lock has shown that no other runs.
  if (!isActivated && path !== undefined && lstatSync(path, { throwIfNoEntry: false })?.isSocket()) {
    rmSync(path, { force: true });
  }
  await new Promise<void>((done, fail) => {
    server.on("error", fail);
    server.listen(isActivated ? { fd: SD_LISTEN_FDS_START } : { path }, done);
  });
  server.unref();
  return () => {
    server.close();
  };
}

/** Connects to the socket. Resolves in any case, after `limitMs` at most: without a daemon the note waits in the directory. */
export function wake(path: string, limitMs: number): Promise<void> {
  return new Promise((done) => {
    const connection = connect({ path });
    connection.setTimeout(limitMs, () => connection.destroy());
    connection.on("connect", () => connection.destroy());
    connection.on("error", () => undefined);
    connection.on("close", () => done());
  });
}
