/** Starts the OIDC issuers in Node, for the tests that run inside the Workers runtime and cannot listen themselves. */
import type { TestProject } from "vitest/node";
import { startOidcServer } from "./oidc-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    oidcServer: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await startOidcServer();
  project.provide("oidcServer", server.url);
  return server.close;
}
