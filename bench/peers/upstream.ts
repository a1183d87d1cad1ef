// A cache on loopback that has nothing: ncps does not start without an upstream.
import { createServer } from "node:http";
import { freePort } from "../../test/support/free-port.ts";

export interface Upstream {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

export async function startEmptyUpstream(): Promise<Upstream> {
  const server = createServer((incoming, outgoing) => {
    if (incoming.url === "/nix-cache-info") outgoing.end("StoreDir: /nix/store\nWantMassQuery: 1\n");
    else outgoing.writeHead(404).end();
  });
  const port = await freePort();
  await new Promise<void>((done, fail) => {
    server.once("error", fail);
    server.listen(port, "127.0.0.1", done);
  });
  const stop = () =>
    new Promise<void>((done) => {
      server.close(() => done());
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${port}`, stop };
}
