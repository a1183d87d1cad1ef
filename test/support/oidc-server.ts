/**
 * HTTP servers for OIDC issuers, in one process of Node: below `/<id>/` each test has an issuer of its own, which
 * sends the answers that the test has set. See `oidc-issuer.ts` for the side of the test.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An issuer's answer at a path. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** White space behind the body, in bytes; sent without a Content-Length. */
  readonly padding?: number;
  /** Milliseconds before anything is sent. */
  readonly delay?: number;
  /** Milliseconds between the head, with the first byte of the body, and the rest. */
  readonly pause?: number;
  /** Closes the connection instead. */
  readonly reset?: boolean;
}

/** By path below the issuer's own: `/.well-known/openid-configuration`. */
export type Script = Readonly<Record<string, Answer>>;

export interface OidcServer {
  readonly url: string;
  readonly close: () => Promise<void>;
}

interface Issuer {
  script: Script;
  readonly requests: string[];
}

export async function startOidcServer(): Promise<OidcServer> {
  const issuers = new Map<string, Issuer>();
  const server = createServer((request, response) => {
    serve(issuers, request, response).catch((error) => response.destroy(error as Error));
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

async function serve(
  issuers: Map<string, Issuer>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const [, id = "", path = ""] = /^\/([^/]+)(.*)$/.exec(request.url ?? "") ?? [];
  const issuer = issuers.get(id) ?? { script: {}, requests: [] };
  issuers.set(id, issuer);
  // The control requests of a test to the issuer.
  if (request.method === "PUT") {
    issuer.script = JSON.parse(await textOf(request)) as Script;
    response.end();
  } else if (path === "/requests") {
    response.end(JSON.stringify(issuer.requests));
  } else {
    issuer.requests.push(path);
    await answer(issuer.script[path] ?? { status: 404 }, response);
  }
}

async function answer(it: Answer, response: ServerResponse): Promise<void> {
  await sleep(it.delay ?? 0);
  if (it.reset) return void response.destroy();
  response.writeHead(it.status ?? 200, { "Content-Type": "application/json", ...it.headers });
  const body = it.body ?? "";
  response.write(body.slice(0, 1));
  await sleep(it.pause ?? 0);
  response.write(body.slice(1));
  response.end(" ".repeat(it.padding ?? 0));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}

function sleep(ms: number): Promise<void> {
  // A pending delay must not keep the tests from ending.
  return new Promise((done) => setTimeout(done, ms).unref());
}
