/** What `npm start` tells of the configuration's mistakes, which it asks the server for. */
import { createServer, type Server } from "node:http";
import { afterEach, expect, test } from "vitest";
import { problemsOf } from "../../src/cli/health.ts";

let server: Server;
afterEach(() => server.close());

/** Serves one answer on a port of its own. */
async function serve(status: number, text: string): Promise<number> {
  server = createServer((_request, response) => response.writeHead(status).end(text));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test.each([
  { status: 200, text: '{"status":"ok","problems":[]}', problems: [] },
  {
    status: 200,
    text: '{"status":"misconfigured","problems":["PRIORITY: a","STORE_DIR: b"]}',
    problems: ["PRIORITY: a", "STORE_DIR: b"],
  },
  { status: 503, text: '{"status":"unavailable","problems":[]}', problems: [] },
  { status: 500, text: "Build failed", problems: ["/health answered 500: Build failed"] },
  { status: 200, text: "null", problems: [] },
])("$status $text", async ({ status, text, problems }) => {
  const port = await serve(status, text);
  expect(await problemsOf({ protocol: "http", ip: "127.0.0.1", port })).toEqual(problems);
});
