// Small help with single store objects.
import type { Client } from "./nix.ts";

/** Adds a file or directory to the client's store and returns its store path. */
export function addPath(client: Client, path: string, name: string): Promise<string> {
  const expression = `builtins.path { name = "${name}"; path = ${path}; }`;
  return client.nix("eval", "--impure", "--raw", "--expr", expression);
}

/** The 32 characters of a store path's hash part. */
export function hashPart(storePath: string): string {
  return storePath.slice(storePath.lastIndexOf("/") + 1).slice(0, 32);
}
