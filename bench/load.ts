// The load generator: a fixed number of keep-alive connections, each asking again as soon as it is answered.
import { Agent, request } from "node:http";

/** What is asked and what the answer has to be. */
export interface Question {
  readonly method: "GET" | "HEAD";
  /** The path of the next request, with its leading slash. */
  readonly path: () => string;
  readonly status: number;
  /** The length of the body, where it is the same for all. */
  readonly bodyBytes?: number;
}

export interface Pressure {
  readonly connections: number;
  /** No request begins after this time; those that have begun are finished. */
  readonly seconds: number;
}

export interface Throughput {
  readonly requests: number;
  readonly bytes: number;
  /** Until the last answer was complete. */
  readonly seconds: number;
}

export const MAX_CONNECTIONS = 64;
export const MAX_SECONDS = 300;
const REQUEST_TIMEOUT_MS = 30_000;

/** Asks a server of this machine. Throws on the first answer that is not the expected one. */
export async function applyLoad(
  server: string,
  question: Question,
  pressure: Pressure,
  signal: AbortSignal,
): Promise<Throughput> {
  const { hostname, port } = new URL(server);
  if (hostname !== "127.0.0.1") throw new Error(`${server} is not on this machine: the load stays here`);
  const connections = Math.min(pressure.connections, MAX_CONNECTIONS);
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const begin = performance.now();
  const deadline = begin + Math.min(pressure.seconds, MAX_SECONDS) * 1000;
  let requests = 0;
  let bytes = 0;
  const connection = async () => {
    while (performance.now() < deadline) {
      bytes += await ask(agent, Number(port), question, signal);
      requests++;
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, connection));
    return { requests, bytes, seconds: (performance.now() - begin) / 1000 };
  } finally {
    agent.destroy();
  }
}

/** One request. Returns the number of bytes of the answer's body, which is read and dropped. */
function ask(agent: Agent, port: number, question: Question, signal: AbortSignal): Promise<number> {
  const path = question.path();
  return new Promise((done, fail) => {
    const wrong = (what: string) => fail(new Error(`${question.method} ${path}: ${what}`));
    const options = { agent, host: "127.0.0.1", port, path, method: question.method, signal };
    const outgoing = request(options, (response) => {
      let bytes = 0;
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
      });
      response.on("error", fail);
      response.on("end", () => {
        if (response.statusCode !== question.status) wrong(`status ${response.statusCode}`);
        else if (bytes !== (question.bodyBytes ?? bytes)) wrong(`a body of ${bytes} bytes`);
        else done(bytes);
      });
    });
    outgoing.setTimeout(REQUEST_TIMEOUT_MS, () =>
      outgoing.destroy(new Error(`${question.method} ${path}: no answer`)),
    );
    outgoing.on("error", fail);
    outgoing.end();
  });
}
