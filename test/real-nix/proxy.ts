// An HTTP proxy between a client and the server that records the requests and can spoil one.
import {
  type ClientRequest,
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  request,
  type ServerResponse,
} from "node:http";
import type { Server } from "./server.ts";

/** The fault of a request. */
export type Spoil =
  /** Pass it on, but cut the connection after this many bytes of the answer's body. */
  | { cutAfter: number }
  /** Read the body and answer with this status; the server never sees the request. */
  | { answer: number }
  /** Pass on the head and this many bytes of the body, then cut both connections. */
  | { shorten: number };

export type Seen = { method: string; path: string; range: string | undefined; status: number };

export type Proxy = { url: string; seen: Seen[]; stop: () => Promise<void> };

/** `spoil` is called for every request, with the requests before it. */
export async function startProxy(
  server: Server,
  spoil: (method: string, path: string, seen: Seen[]) => Spoil | undefined = () => undefined,
): Promise<Proxy> {
  const seen: Seen[] = [];
  const proxy = createServer((incoming, outgoing) => {
    const { method = "GET", url: path = "/", headers } = incoming;
    const record: Seen = { method, path, range: headers.range, status: 0 };
    const what = spoil(method, path, seen);
    seen.push(record);
    if (what !== undefined && "answer" in what) {
      record.status = what.answer;
      incoming.resume().on("end", () => outgoing.writeHead(what.answer).end("spoilt by the test's proxy\n"));
      return;
    }
    const upstream = request({ host: "127.0.0.1", port: server.port, method, path, headers });
    upstream.on("response", (answer) => {
      record.status = answer.statusCode ?? 0;
      relay(answer, outgoing, what !== undefined && "cutAfter" in what ? what.cutAfter : undefined);
    });
    // When one side closes its connection, close the other.
    upstream.on("error", () => outgoing.destroy());
    incoming.on("close", () => {
      if (!incoming.complete) upstream.destroy();
    });
    if (what !== undefined && "shorten" in what) shorten(incoming, upstream, what.shorten);
    else incoming.pipe(upstream);
  });
  const { port, stop } = await listen(proxy);
  return { url: `http://127.0.0.1:${port}`, seen, stop };
}

/** Serves at a free port; to stop ends the connections, too. */
export async function listen(proxy: HttpServer): Promise<{ port: number; stop: () => Promise<void> }> {
  await new Promise<void>((done) => proxy.listen(0, "127.0.0.1", done));
  const address = proxy.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const stop = () =>
    new Promise<void>((done) => {
      proxy.close(() => done());
      proxy.closeAllConnections();
    });
  return { port, stop };
}

function relay(answer: IncomingMessage, outgoing: ServerResponse, cutAfter: number | undefined): void {
  outgoing.writeHead(answer.statusCode ?? 500, answer.rawHeaders);
  if (cutAfter === undefined) {
    answer.pipe(outgoing);
    answer.on("error", () => outgoing.destroy());
    return;
  }
  let left = cutAfter;
  answer.on("data", (chunk: Buffer) => {
    if (left === 0) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    outgoing.write(part, () => {
      if (left === 0) outgoing.destroy();
    });
  });
}

function shorten(incoming: IncomingMessage, upstream: ClientRequest, bytes: number): void {
  let left = bytes;
  incoming.on("data", (chunk: Buffer) => {
    if (left === 0) return;
    const part = chunk.subarray(0, left);
    left -= part.length;
    upstream.write(part, () => {
      if (left === 0) {
        upstream.destroy();
        incoming.destroy();
      }
    });
  });
}
