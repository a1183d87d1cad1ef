// One `npm start` for each folder of data: a socket that the running one listens at. Unlike a file with a process id it
// means nothing once that process is gone, however it ended.
import { createHash } from "node:crypto";
import { once } from "node:events";
import { unlink } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const TIMEOUT_MS = 2000;
const ATTEMPTS = 3;

export interface Lock {
  /** Tells others from now on where the cache runs. */
  announce(url: string): void;
  release(): void;
}

/**
 * The socket for the data in `directory`, an absolute path. It is not in there: Nix refuses to copy a folder with a
 * socket, and a socket's path may have 100 bytes at most.
 */
export function socketFor(directory: string, env = process.env): string {
  const name = createHash("sha256").update(directory).digest("hex").slice(0, 32);
  // TMPDIR differs from one `nix develop` to the next.
  return join(env.XDG_RUNTIME_DIR || "/tmp", `nix-cache-${process.getuid?.() ?? ""}-${name}.sock`);
}

/**
 * Takes the lock of the socket at `path`, or returns where the cache of its holder runs: empty while that still starts.
 * Where there can be no socket, each start gets a lock.
 */
export async function lockAt(path: string): Promise<Lock | { readonly heldAt: string }> {
  let url = "";
  const announce = (running: string) => {
    url = running;
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const server = createServer((socket) => socket.on("error", () => {}).end(url));
    const failure = await listening(server, path);
    // No reason to refuse a start: the lock only spares a mistake.
    if (failure !== "EADDRINUSE") return { announce, release: () => server.close() };
    const heldAt = await ask(path);
    if (heldAt !== undefined) return { heldAt };
    await unlink(path).catch(() => {});
  }
  // A dead socket that cannot be removed, as one of another user.
  return { announce, release: () => {} };
}

/** The code of the failure; `undefined` once it listens. */
async function listening(server: Server, path: string): Promise<string | undefined> {
  server.unref().listen(path);
  try {
    await once(server, "listening");
    return undefined;
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "unknown";
  }
}

/** `undefined` where nobody listens any more. */
async function ask(path: string): Promise<string | undefined> {
  const socket = connect(path);
  socket.setTimeout(TIMEOUT_MS, () => socket.destroy());
  try {
    await once(socket, "connect");
  } catch {
    // ECONNREFUSED: its process has ended without removing it.
    return undefined;
  }
  // A holder that was stopped (Ctrl-Z) does not answer.
  return text(socket).catch(() => "");
}
