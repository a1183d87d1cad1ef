/**
 * Starts the OIDC issuers and the upstreams in Node, for the tests that run inside the Workers runtime and cannot listen
 * themselves.
 */
import type { TestProject } from "vitest/node";
import { startOidcServer } from "./oidc-server.ts";
import { startUpstreamServer } from "./upstream-server.ts";

declare module "vitest" {
  interface ProvidedContext {
    oidcServer: string;
    upstreamServer: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [issuers, upstreams] = await Promise.all([startOidcServer(), startUpstreamServer()]);
  project.provide("oidcServer", issuers.url);
  project.provide("upstreamServer", upstreams.url);
  return async () => {
    await Promise.all([issuers.close(), upstreams.close()]);
  };
}
