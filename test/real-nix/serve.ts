// A server for the tests of a file or of a `describe`: started before the first of them, stopped after the last.
import { afterAll, beforeAll } from "vitest";
import { removeScratch } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

/** To be called where the tests are collected: its address is known when they run. */
export function serve(variables: Record<string, string>): Server {
  let started: Server | undefined;
  const server = (): Server => {
    if (started === undefined) throw new Error("the server has not started yet");
    return started;
  };
  beforeAll(async () => {
    started = await startServer(variables);
  });
  afterAll(async () => {
    await started?.stop();
    removeScratch();
  });
  return {
    get url() {
      return server().url;
    },
    get port() {
      return server().port;
    },
    get group() {
      return server().group;
    },
    stop: () => server().stop(),
  };
}
