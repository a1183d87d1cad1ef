// The catalog switched off by a fault: every call of the Durable Object throws.
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { OPERATIONS } from "../../src/api/operations.ts";
import type { Catalog } from "../../src/catalog/catalog.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, cacheWith, keys, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { METADATA } from "../support/objects.ts";
import { bodyOf, pathOf } from "../support/operations.ts";
import { expectRefusal } from "../support/refusal.ts";
import { publishPath } from "../support/runs.ts";
import { testPath } from "../support/store-paths.ts";

const log = captureLog();
afterEach(() => reset());

/** A namespace whose objects fail at everything, in one of the ways in which they can. */
function broken(fail: () => unknown): DurableObjectNamespace<Catalog> {
  const stub = new Proxy({}, { get: () => fail });
  return { getByName: () => stub } as unknown as DurableObjectNamespace<Catalog>;
}

const FAULTS: readonly [string, DurableObjectNamespace<Catalog>][] = [
  ["rejects", broken(async () => Promise.reject(new Error("internal error; reference = 0123")))],
  [
    "throws",
    broken(() => {
      throw new Error("Durable Object reset because its code was updated.");
    }),
  ],
];

describe.each(FAULTS)("with a catalog that %s", (_, CATALOG) => {
  const objects = async () => {
    const path = await testPath();
    await publishPath(path);
    for (const { key, body } of METADATA) await env.BUCKET.put(key, body);
    return { path, keys: [path.key, path.narKey, ...METADATA.map(({ key }) => key)] };
  };

  it.each([
    ["public", {}],
    ["private", { PULL_TOKEN }],
  ])("every read of a %s cache works", async (_, variables) => {
    const cache = cacheWith({ CATALOG, ADMIN_TOKEN, ...variables });
    const { keys } = await objects();
    const headers = { Authorization: `Bearer ${PUSH_TOKEN}` };
    for (const key of ["", "nix-cache-info", "health", ...keys]) {
      expect([key, (await cache.get(`/${key}`, headers)).status]).toEqual([key, 200]);
      expect([key, (await cache.head(`/${key}`, headers)).status]).toEqual([key, 200]);
    }
    const nar = keys.find((key) => key.startsWith("nar/"));
    expect((await cache.get(`/${nar}`, { ...headers, Range: "bytes=1-3" })).status).toBe(206);
    expect((await cache.get(`/${"0".repeat(32)}.narinfo`, headers)).status).toBe(404);
    for (const path of ["openapi.json", "cache"]) {
      expect([path, (await cache.get(`/api/v1/${path}`, headers)).status]).toEqual([path, 200]);
    }
  });

  it("a write that needs it gets a 503 with one clear line, and changes nothing", async () => {
    const cache = cacheWith({ CATALOG });
    await objects();
    const before = await keys();
    const path = await testPath("new-1.0");
    for (const [key, body] of [
      [path.narKey, path.nar],
      [path.key, path.text],
    ] as const) {
      const answer = await cache.put(`/${key}`, body);
      const line = expectRefusal(answer, 503);
      expect(line).toContain("the catalog of this cache did not answer");
      expect(line).not.toMatch(/reset|internal|reference/i);
      expect(answer.headers.get("Retry-After")).toBe("5");
    }
    expect(await keys()).toEqual(before);
    expect(log).toHaveBeenCalledWith("the catalog did not answer", expect.any(Error));
  });

  it.each(OPERATIONS.filter(({ id, permission }) => permission !== "none" && id !== "describeCache"))(
    "$method /api/v1$path is a 503",
    async (operation) => {
      const cache = cacheWith({ CATALOG, ADMIN_TOKEN, TOKEN_SECRET });
      const body = bodyOf(operation);
      const answer = await cache.fetch(`/api/v1${pathOf(operation)}`, {
        method: operation.method,
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      expect(answer.status).toBe(503);
      expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
      expect(JSON.parse(answer.text)).toMatchObject({
        status: 503,
        detail: expect.stringContaining("catalog"),
      });
    },
  );

  it("what accompanies paths is refused, too, and stores nothing", async () => {
    const cache = cacheWith({ CATALOG });
    for (const { key, body } of METADATA) expectRefusal(await cache.put(`/${key}`, body), 503);
    expect(await keys()).toEqual([]);
    expect((await cache.put("/nix-cache-info", "StoreDir: /nix/store\n")).status).toBe(200);
  });
});
