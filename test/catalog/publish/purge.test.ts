// Every change purges the edge. Only the default entrypoint can do that: the catalog asks it to.
import { createExecutionContext, reset, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { resolveExpired } from "../../../src/catalog/publish/resolve.ts";
import { deletePath } from "../../../src/catalog/remove/delete.ts";
import { sweepNars } from "../../../src/catalog/remove/sweep.ts";
import NixCache, { handle } from "../../../src/index.ts";
import { ORIGIN, PUSH_TOKEN } from "../../support/cache.ts";
import { deleting, publishing, recorded, storeNar, withSignature } from "../../support/catalog.ts";
import { hashOf, publishClosure, purgedWith } from "../../support/closure.ts";
import { captureLog } from "../../support/log.ts";
import { catalog, later, publishPath, value } from "../../support/runs.ts";
import { testPath } from "../../support/store-paths.ts";

captureLog();
afterEach(() => {
  vi.restoreAllMocks();
  return reset();
});

describe("the edge is told of", () => {
  it("nothing when a path is new: it holds no misses", async () => {
    const path = await testPath();
    await storeNar(path);
    expect((await publishing(path.text)).purged).toEqual([]);
    expect((await publishing(path.text)).purged).toEqual([]);
  });

  it("a narinfo that has changed, that is healed, that was gone from the bucket", async () => {
    const path = await testPath();
    await publishPath(path);
    const narinfo = [[`/${path.key}`]];
    expect((await publishing(withSignature(path.text, "a"))).purged).toEqual(narinfo);
    await env.BUCKET.delete(path.key);
    expect((await publishing(path.text)).purged).toEqual(narinfo);
    await env.BUCKET.delete(path.narKey);
    const other = await testPath("hello-1.0", "another build");
    await storeNar(other);
    expect((await publishing(other.text)).purged).toEqual(narinfo);
  });

  it("every narinfo that is deleted, and every NAR", async () => {
    const { all, library } = await publishClosure();
    const { purged } = await recorded((c) => deletePath(c, hashOf(library), true));
    expect(purged).toEqual([...all].reverse().map(purgedWith));
    const swept = await recorded((c) => sweepNars(c, 0), {}, { now: () => Date.now() + 1000 });
    expect(new Set(swept.purged.flat())).toEqual(new Set(all.map(({ narKey }) => `/${narKey}`)));
  });
});

describe("the catalog", () => {
  it("asks the Worker's default entrypoint", async () => {
    const purgeEdge = vi.spyOn(NixCache.prototype, "purgeEdge");
    const path = await testPath();
    await publishPath(path);
    expect(purgeEdge).not.toHaveBeenCalled();
    await value(catalog().publish(withSignature(path.text, "a"), "tester"));
    await value(catalog().deletePath(hashOf(path), false));
    expect(purgeEdge.mock.calls).toEqual([
      [[`/${path.key}`, `/nix-cache/${path.key}`]],
      [[...purgedWith(path), ...purgedWith(path).map((at) => `/nix-cache${at}`)]],
    ]);
  });

  it("asks again later where that fails", async () => {
    const path = await testPath();
    await publishPath(path);
    const purge = () => Promise.reject(new Error("the entrypoint could not be reached"));
    await expect(publishing(withSignature(path.text, "a"), {}, { purge })).rejects.toThrow();
    expect((await recorded((c) => resolveExpired(c), {}, later())).purged).toEqual([[`/${path.key}`]]);
    await expect(deleting(path, false, {}, { purge })).rejects.toThrow();
    expect((await recorded((c) => resolveExpired(c), {}, later())).purged).toEqual([purgedWith(path)]);
  });
});

describe("the default entrypoint", () => {
  /** With a cache in front, which the local runtime has not. */
  function entrypoint(purge: (options: { pathPrefixes: string[] }) => Promise<unknown>): NixCache {
    return Object.assign(Object.create(NixCache.prototype), { ctx: { cache: { purge } } });
  }

  it("never fails", async () => {
    await entrypoint(() => Promise.reject(new Error("rate limited"))).purgeEdge(["/a"]);
  });
});

describe("an upload", () => {
  it("that replaces a damaged NAR drops it from the edge, where it could stay for a year", async () => {
    const path = await testPath();
    const purged: string[][] = [];
    const upload = async () => {
      const context = createExecutionContext();
      const cache = {
        purge: async ({ pathPrefixes }: { pathPrefixes: string[] }) => void purged.push(pathPrefixes),
      };
      const headers = { Authorization: `Bearer ${PUSH_TOKEN}`, "Content-Length": `${path.nar.length}` };
      const request = new Request(`${ORIGIN}/${path.narKey}`, { method: "PUT", body: path.nar, headers });
      const environment = { BUCKET: env.BUCKET, CATALOG: env.CATALOG, PUSH_TOKEN };
      const { status } = await handle(request, environment, Object.assign(context, { cache }));
      await waitOnExecutionContext(context);
      return status;
    };
    await env.BUCKET.put(path.narKey, "damaged");
    expect([await upload(), purged]).toEqual([201, [[`/${path.narKey}`, `/nix-cache/${path.narKey}`]]]);
    expect([await upload(), purged.length]).toEqual([200, 1]);
    await env.BUCKET.delete(path.narKey);
    expect([await upload(), purged.length]).toEqual([201, 1]);
  });
});
