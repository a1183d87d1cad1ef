// One `npm start` for each folder of data: a socket in it that the running one listens at. Unlike a file with a process
// id it means nothing once that process is gone, however it ended.
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { relative } from "node:path";
import { text } from "node:stream/consumers";

const TIMEOUT_MS = 2000;
const ATTEMPTS = 3;

export interface Lock {
  /** Tells others from now on where the cache runs. */
  announce(url: string): void;
  release(): void;
}

/**
 * Takes the lock of the socket at `path`, or returns where the cache of its holder runs: empty while that still starts.
 * Where the file system has no sockets, each start gets a lock.
 */
export async function lockAt(path: string): Promise<Lock | { readonly heldAt: string }> {
  // A socket's path may have some 100 bytes, and npm starts in the clone.
  const short = [path, relative(process.cwd(), path)].reduce((a, b) => (b.length < a.length ? b : a));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    let url = "";
    const server = createServer((socket) => socket.on("error", () => {}).end(url));
    const failure = await listening(server, short);
    // No reason to refuse a start: the lock only spares a mistake.
    if (failure !== "EADDRINUSE") {
      return {
        announce: (running) => {
          url = running;
        },
        release: () => server.close(),
      };
    }
    const heldAt = await ask(short);
    if (heldAt !== undefined) return { heldAt };
    await rm(short, { force: true });
  }
  return { heldAt: "" };
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
