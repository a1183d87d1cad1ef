// HTTP over a raw socket: requests that no client library would send.
import { connect, type Socket } from "node:net";
import { setTimeout as later } from "node:timers/promises";

/** Timeout of a response; a slower one counts as hanging. */
const PATIENCE_MS = 20_000;

export interface RawAnswer {
  /** Of each response on the connection; empty where it was closed without one. */
  readonly statuses: readonly number[];
  /** All received bytes. */
  readonly text: string;
}

/** A request as text: `Host` and the given headers. A value of `undefined` leaves a header out. */
export function head(
  line: string,
  headers: Readonly<Record<string, string | number | readonly string[] | undefined>> = {},
): string {
  const all = { Host: "127.0.0.1", Connection: "close", ...headers };
  const lines = Object.entries(all).flatMap(([name, value]) =>
    [value ?? []].flat().map((each) => `${name}: ${each}\r\n`),
  );
  return `${line} HTTP/1.1\r\n${lines.join("")}\r\n`;
}

/** Sends this and reads until the server closes the connection. Rejects if it does not within `patienceMs`. */
export async function exchange(
  port: number,
  bytes: string | Uint8Array | readonly (string | Uint8Array)[],
  patienceMs = PATIENCE_MS,
): Promise<RawAnswer> {
  const connection = open(port);
  for (const part of [bytes].flat()) connection.write(part as string | Uint8Array);
  return connection.answer(patienceMs);
}

export interface Connection {
  readonly socket: Socket;
  /** Bytes, or text as Latin-1: one byte for each character. */
  readonly write: (bytes: string | Uint8Array) => void;
  /** All received bytes once the server closes; rejects if it does not. */
  readonly answer: (patienceMs?: number) => Promise<RawAnswer>;
}

export function open(port: number): Connection {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1").on("data", (chunk) => {
    text += chunk;
  });
  const closed = new Promise<void>((done) => {
    socket.on("close", () => done());
    // A server that refuses a request may close while the rest of it is still on its way.
    socket.on("error", () => done());
  });
  return {
    socket,
    write: (bytes) => {
      socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
    },
    answer: async (patienceMs = PATIENCE_MS) => {
      const patience = new AbortController();
      const hung = later(patienceMs, "hung" as const, { signal: patience.signal });
      hung.catch(() => "ended in time");
      const outcome = await Promise.race([closed, hung]);
      patience.abort();
      socket.destroy();
      if (outcome === "hung")
        throw new Error(`no end of the answer in ${patienceMs} ms: ${text.slice(0, 500)}`);
      const statuses = [...text.matchAll(/^HTTP\/1\.1 (\d{3}) /gm)].map(([, status]) => Number(status));
      return { statuses, text };
    },
  };
}
