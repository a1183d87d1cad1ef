/** Pins by the API: who may put, read and delete them, and that one request resolves them. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { Pin } from "../../src/contract/pins.ts";
import { ADMIN_TOKEN, keys, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import { ANONYMOUSLY, apiCache, ask, call, refusal } from "./api.ts";

afterEach(() => reset());
captureLog();

const token = PUSH_TOKEN;
const path = await testPath("system-1");
const other = await testPath("system-2");
const storePath = `/nix/store/${path.info.storePath.baseName}`;

async function cacheWithPaths() {
  const cache = apiCache();
  for (const each of [path, other]) await push(cache, each);
  return cache;
}

describe("a pin", () => {
  it("resolves in one request, for anybody who may pull", async () => {
    const cache = await cacheWithPaths();
    await ask(cache, "PUT", "/pins/web-1.prod", { token, body: { store_path: storePath } });
    expect(await ask<Pin>(cache, "GET", "/pins/web-1.prod")).toEqual({
      name: "web-1.prod",
      store_path: storePath,
      keep_revisions: 100,
      keep_days: null,
      revisions: [
        { store_path: storePath, pinned: expect.any(String), pinned_by: "PUSH_TOKEN", until: null },
      ],
    });
    const newer = `/nix/store/${other.info.storePath.baseName}`;
    await ask(cache, "PUT", "/pins/web-1.prod", {
      token,
      body: { store_path: newer, keep_revisions: 1, keep_days: 2 },
    });
    const pin = await ask<Pin>(cache, "GET", "/pins/web-1.prod");
    expect(pin).toMatchObject({ store_path: newer, keep_revisions: 1, keep_days: 2 });
    expect(pin.revisions.map(({ until }) => until)).toEqual([null, expect.stringMatching(/Z$/)]);
    expect(await ask(cache, "GET", "/pins")).toEqual({ pins: [pin] });
    expect(await ask(cache, "DELETE", "/pins/web-1.prod", { token })).toEqual({ deleted: "web-1.prod" });
    await refusal(cache, "GET", "/pins/web-1.prod", 404);
    await refusal(cache, "DELETE", "/pins/web-1.prod", 404, { token });
  });

  it("is put again as it was fetched", async () => {
    const cache = await cacheWithPaths();
    for (const keep of [{}, { keep_revisions: 3, keep_days: 2 }]) {
      await ask(cache, "PUT", "/pins/p", { token, body: { store_path: storePath, ...keep } });
      const pin = await ask<Pin>(cache, "GET", "/pins/p");
      const { store_path, keep_revisions, keep_days } = pin;
      const body = { store_path, keep_revisions, keep_days };
      expect(await ask<Pin>(cache, "PUT", "/pins/p", { token, body })).toEqual(pin);
    }
  });

  it("is in the bucket, and no route serves that", async () => {
    const cache = await cacheWithPaths();
    await ask(cache, "PUT", "/pins/p", { token, body: { store_path: storePath } });
    expect(await keys()).toContain("pins/p");
    expect(await cache.get("/pins/p")).toMatchObject({ status: 404 });
  });

  it("is put and deleted by pushers only", async () => {
    const cache = apiCache({ PULL_TOKEN });
    for (const method of ["PUT", "DELETE"] as const) {
      const body = method === "PUT" ? { body: { store_path: storePath } } : {};
      await refusal(cache, method, "/pins/p", 401, body);
      await refusal(cache, method, "/pins/p", 403, { token: PULL_TOKEN, ...body });
    }
    await refusal(cache, "GET", "/pins", 401, ANONYMOUSLY);
    expect((await call(cache, "GET", "/pins", { token: PULL_TOKEN })).status).toBe(200);
    await push(cache, path);
    expect(
      (await call(cache, "PUT", "/pins/p", { token: ADMIN_TOKEN, body: { store_path: storePath } })).status,
    ).toBe(200);
  });

  it.each([
    ["{}", /^store_path: is missing$/],
    ["", /^the body is empty; it must be like {"store_path":/],
    ["nonsense", /^the body is not JSON; it must be like \{"store_path":"\/nix\/store\//],
    [[], /^the body must be an object like \{/],
    [{ store_path: "hello" }, /^store_path: must be a store path: \/nix\/store\/HASH-NAME$/],
    [{ store_path: "/gnu/store/x" }, /^store_path: must be a store path: /],
    [
      { store_path: "/gnu/store/3m5fd0cx9d74whnzm8ryrjgglb2gs4b2-x" },
      /^store_path: "\/gnu\/store\/.*-x" is not in the store \/nix\/store$/,
    ],
    [{ storePath }, /^unknown property 'storePath': the body takes store_path, keep_revisions, keep_days$/],
    [{ store_path: storePath, keep_days: 0 }, /^keep_days: must be a whole number from 1 to 36500$/],
    [
      { store_path: storePath, keep_revisions: "5" },
      /^keep_revisions: must be a whole number from 1 to 1000$/,
    ],
  ])("is refused for the body %j", async (body, detail) => {
    const cache = await cacheWithPaths();
    expect(await refusal(cache, "PUT", "/pins/p", 400, { token, body })).toMatch(detail);
  });

  it.each([
    ["a/b", 404],
    ["-x", 400],
    ["a%20b", 400],
    ["x".repeat(129), 400],
  ])("is not named %s", async (name, status) => {
    expect((await apiCache().fetch(`/api/v1/pins/${name}`)).status).toBe(status);
  });
});
