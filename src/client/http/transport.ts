// One HTTP request over Node's own client, with connections that are kept.
import { readFileSync } from "node:fs";
import type { Agent, IncomingMessage, request as requestType } from "node:http";
import type { Agent as HttpsAgent } from "node:https";
import type { Readable } from "node:stream";
import { Failure, lineOf } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";

/** A body of this length that can be read again for another attempt. */
export interface StreamedBody {
  /** Bytes. */
  readonly size: number;
  open(): Readable;
}

export interface Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Below the cache's URL, with a slash; with the query. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | StreamedBody;
  /** Milliseconds without a byte in either direction. */
  readonly idleMs?: number;
}

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

export type Send = (request: Request) => Promise<Answer>;

/** A Worker needs a minute for some answers, such as for a NAR of gigabytes that it puts together. */
const IDLE_MS = 120_000;
/** The largest answer of the API is a list of 20,000 paths with long names. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Sends requests to a cache. `connections` is how many it keeps at most. */
export function transport(url: string, token: string | undefined, connections: number, env: Env): Send {
  const base = new URL(url);
  const isSecure = base.protocol === "https:";
  const options = {
    keepAlive: true,
    maxSockets: connections,
    // Node 22.21 and 24.5: HTTPS_PROXY and NO_PROXY.
    proxyEnv: env,
  };
  // Loaded when it is needed: it takes longer to load than the rest of the program.
  let loading: Promise<Client> | undefined;
  const load = () => {
    loading ??= isSecure ? secureClient({ ...options, ...authorities(env) }) : plainClient(options);
    return loading;
  };
  const credentials = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return async (request) => {
    const client = await load();
    return new Promise((done, fail) => {
      const { method, path, body, idleMs = IDLE_MS } = request;
      const sending = client.request(`${url}${path}`, {
        method,
        agent: client.agent,
        headers: {
          "user-agent": "nix-cache-client",
          ...credentials,
          ...lengthOf(body, method),
          ...request.headers,
        },
        timeout: idleMs,
      });
      const refuse = (error: unknown) => {
        sending.destroy();
        fail(error instanceof Failure ? error : new Failure("network", `${base.host}: ${lineOf(error)}`));
      };
      sending.on("error", refuse);
      sending.on("timeout", () => refuse(new Error(`no answer within ${idleMs / 1000} seconds`)));
      sending.on("response", (response) => {
        collect(response).then(
          (text) => done({ status: response.statusCode ?? 0, headers: response.headers, body: text }),
          refuse,
        );
      });
      if (typeof body === "object" && "open" in body) {
        const source = body.open();
        source.on("error", refuse);
        // An answer before the body's end closes the connection; the answer counts.
        sending.on("close", () => source.destroy());
        source.pipe(sending);
      } else {
        sending.end(body);
      }
    });
  };
}

type AgentOptions = ConstructorParameters<typeof HttpsAgent>[0];

interface Client {
  readonly request: typeof requestType;
  readonly agent: Agent;
}

async function plainClient(options: AgentOptions): Promise<Client> {
  const { Agent, request } = await import("node:http");
  return { request, agent: new Agent(options) };
}

async function secureClient(options: AgentOptions): Promise<Client> {
  const { Agent, request } = await import("node:https");
  return { request, agent: new Agent(options) };
}

function lengthOf(body: Request["body"], method: string): Record<string, string> {
  if (body === undefined) return method === "PUT" || method === "POST" ? { "content-length": "0" } : {};
  if (typeof body === "string") return { "content-length": String(Buffer.byteLength(body)) };
  return { "content-length": String("open" in body ? body.size : body.length) };
}

async function collect(response: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) throw new Failure("network", "the answer is too large to be a cache's");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Certificates that Nix trusts, too, such as a company's own. */
export function authorities(env: Env): { ca?: string } {
  const file = env.NIX_SSL_CERT_FILE || env.SSL_CERT_FILE;
  if (!file) return {};
  try {
    return { ca: readFileSync(file, "utf8") };
  } catch (error) {
    throw new Failure("usage", `cannot read the certificates that NIX_SSL_CERT_FILE names: ${lineOf(error)}`);
  }
}
