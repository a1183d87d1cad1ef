// The load generator: a fixed number of keep-alive connections, each asking again as soon as it is answered.
import { Agent, request } from "node:http";

/** A request and its expected answer. */
export interface Question {
  readonly method: "GET" | "HEAD" | "PUT" | "POST";
  /** With its leading slash. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as one body, with its length. */
  readonly body?: readonly Uint8Array[];
  readonly status: number;
  /** The length of the answer's body, where it is known. */
  readonly bodyBytes?: number;
}

export interface Answer {
  /** Of the answer's body, which is read and dropped. */
  readonly bytes: number;
  /** Milliseconds from the request to the first byte of the answer. */
  readonly firstByteMs: number;
}

export interface Pressure {
  readonly connections: number;
  /** No request begins after this time or this number of them; those that have begun are finished. */
  readonly seconds?: number;
  readonly requests?: number;
}

export interface Throughput {
  readonly requests: number;
  /** Of bodies, sent and received. */
  readonly bytes: number;
  /** Until the last answer was complete. */
  readonly seconds: number;
  /** Milliseconds, of each request. */
  readonly firstByteMs: readonly number[];
}

export const MAX_CONNECTIONS = 64;
export const MAX_SECONDS = 3600;
const REQUEST_TIMEOUT_MS = 60_000;

export function newAgent(connections: number): Agent {
  return new Agent({ keepAlive: true, maxSockets: Math.min(connections, MAX_CONNECTIONS) });
}

/** Asks a server of this machine. Throws on the first answer that is not the expected one. */
export async function applyLoad(
  server: string,
  next: () => Question,
  pressure: Pressure,
  signal: AbortSignal,
): Promise<Throughput> {
  const agent = newAgent(pressure.connections);
  const begin = performance.now();
  const deadline = begin + Math.min(pressure.seconds ?? MAX_SECONDS, MAX_SECONDS) * 1000;
  let left = pressure.requests ?? Number.POSITIVE_INFINITY;
  let bytes = 0;
  const firstByteMs: number[] = [];
  const connection = async () => {
    while (left-- > 0 && performance.now() < deadline) {
      const question = next();
      const answer = await ask(agent, server, question, signal);
      bytes += answer.bytes + sizeOf(question.body);
      firstByteMs.push(answer.firstByteMs);
    }
  };
  try {
    await Promise.all(Array.from({ length: agent.maxSockets }, connection));
    const seconds = (performance.now() - begin) / 1000;
    return { requests: firstByteMs.length, bytes, seconds, firstByteMs };
  } finally {
    agent.destroy();
  }
}

/** One request. Throws where the answer is not the expected one, or the server is not of this machine. */
export function ask(agent: Agent, server: string, question: Question, signal: AbortSignal): Promise<Answer> {
  const { method, path, headers, body } = question;
  const { hostname, port } = new URL(server);
  if (hostname !== "127.0.0.1") throw new Error(`${server} is not on this machine: the load stays here`);
  return new Promise((done, fail) => {
    const begin = performance.now();
    const wrong = (what: string, text = "") => fail(new Error(`${method} ${path}: ${what} ${text}`.trim()));
    const length = body === undefined ? {} : { "Content-Length": String(sizeOf(body)) };
    const options = { agent, host: hostname, port, path, method, signal, headers: { ...headers, ...length } };
    const outgoing = request(options, (response) => {
      const firstByteMs = performance.now() - begin;
      let bytes = 0;
      let text = "";
      response.on("data", (chunk: Buffer) => {
        bytes += chunk.length;
        // The text of a refusal, for the report of the failure.
        if (response.statusCode !== question.status) text += chunk;
      });
      response.on("error", fail);
      response.on("end", () => {
        if (response.statusCode !== question.status) wrong(`status ${response.statusCode}`, text);
        else if (bytes !== (question.bodyBytes ?? bytes)) wrong(`a body of ${bytes} bytes`);
        else done({ bytes, firstByteMs });
      });
    });
    outgoing.setTimeout(REQUEST_TIMEOUT_MS, () =>
      outgoing.destroy(new Error(`${method} ${path}: no answer in ${REQUEST_TIMEOUT_MS} ms`)),
    );
    outgoing.on("error", fail);
    for (const part of body ?? []) outgoing.write(part);
    outgoing.end();
  });
}

function sizeOf(body: readonly Uint8Array[] = []): number {
  return body.reduce((bytes, part) => bytes + part.length, 0);
}
