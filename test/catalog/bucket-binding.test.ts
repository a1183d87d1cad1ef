/** A name that was another cache's: its catalog is not taken for this one's. */
import { reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it } from "vitest";
import { Catalog } from "../../src/catalog/catalog.ts";

afterEach(() => reset());

it.each([
  [
    "team",
    { CACHE_NAME: "team" },
    /^the catalog team belongs to the folder team\/ of the bucket, .*the top level/,
  ],
  [
    "nix-cache",
    { CACHE_NAME: "main" },
    /^the catalog nix-cache belongs to the top level .*the folder nix-cache\//,
  ],
])("%s with %j", async (name, variables, message) => {
  await runInDurableObject(env.CATALOG.getByName(name), (_, state) => {
    expect(() => new Catalog(state, { ...env, ...variables })).toThrow(message);
    expect(() => new Catalog(state, { ...env })).not.toThrow();
  });
});
