/**
 * HTTP servers for upstreams, in one process of Node: below `/<id>/` each test has an upstream of its own, which sends
 * the answers that the test has set. See `upstream.ts` for the side of the test.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An upstream's answer at a path. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** In base64. */
  readonly body?: string;
  /** Bytes behind the body; sent without a Content-Length. */
  readonly padding?: number;
  /** Milliseconds before anything is sent. */
  readonly delay?: number;
  /** Milliseconds between the head, with the first byte of the body, and the rest. */
  readonly pause?: number;
  /** Closes the connection: instead of an answer, or after so many bytes of the body. */
  readonly reset?: boolean;
  readonly cutAfter?: number;
}

/** By path below the upstream's own: `/<hash>.narinfo`. `*` is every other path. */
export type Script = Readonly<Record<string, Answer>>;

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

interface State {
  script: Script;
  readonly requests: SeenRequest[];
}

export async function startUpstreamServer(): Promise<{
  readonly url: string;
  readonly close: () => Promise<void>;
}> {
  const states = new Map<string, State>();
  const server = createServer((request, response) => {
    serve(states, request, response).catch((error) => response.destroy(error as Error));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

async function serve(states: Map<string, State>, request: IncomingMessage, response: ServerResponse) {
  const [, id = "", path = ""] = /^\/([^/]+)(.*)$/.exec(request.url ?? "") ?? [];
  const state = states.get(id) ?? { script: {}, requests: [] };
  states.set(id, state);
  // The control requests of a test.
  if (request.method === "PUT") {
    let text = "";
    for await (const chunk of request) text += chunk;
    state.script = JSON.parse(text) as Script;
    response.end();
  } else if (path === "/requests") {
    response.end(JSON.stringify(state.requests));
  } else {
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [name, `${value}`]),
    );
    state.requests.push({ method: request.method ?? "", path, headers });
    await answer(state.script[path] ?? state.script["*"] ?? { status: 404 }, request, response);
  }
}

async function answer(it: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  await sleep(it.delay ?? 0);
  if (it.reset) return void response.destroy();
  const whole = Buffer.from(it.body ?? "", "base64");
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
  const isPart = range !== null && (it.status ?? 200) === 200;
  const first = isPart ? Number(range[1]) : 0;
  const end = isPart && range[2] ? Math.min(Number(range[2]) + 1, whole.length) : whole.length;
  const body = whole.subarray(first, end);
  response.writeHead(isPart ? 206 : (it.status ?? 200), {
    ...(it.padding === undefined && { "Content-Length": `${body.length}` }),
    ...(isPart && { "Content-Range": `bytes ${first}-${end - 1}/${whole.length}` }),
    ...it.headers,
  });
  if (request.method === "HEAD") return void response.end();
  if (it.cutAfter !== undefined) {
    response.write(body.subarray(0, it.cutAfter));
    await sleep(50);
    return void response.destroy();
  }
  response.write(body.subarray(0, 1));
  await sleep(it.pause ?? 0);
  response.write(body.subarray(1));
  response.end(Buffer.alloc(it.padding ?? 0, " "));
}

function sleep(ms: number): Promise<void> {
  // A pending delay must not keep the tests from ending.
  return new Promise((done) => setTimeout(done, ms).unref());
}
