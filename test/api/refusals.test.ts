/** What every route of the API refuses alike: permissions, methods, a catalog that fails. */
import { reset } from "cloudflare:test";
import * as v from "valibot";
import { afterEach, describe, expect, it } from "vitest";
import { OPERATIONS } from "../../src/api/operations.ts";
import type { Problem } from "../../src/http/problem.ts";
import { ADMIN_TOKEN, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { bodyOf, pathOf } from "../support/operations.ts";
import { expectRefusal } from "../support/refusal.ts";
import { push, testPath } from "../support/store-paths.ts";
import { apiCache, breakCatalog, call, type Method, refusal } from "./api.ts";

afterEach(() => reset());
const errors = captureLog();

const HASH = "0".repeat(32);
/** An operation of each permission, with what it answers where it is allowed. */
const PULL: [Method, string, number][] = [
  ["POST", "/missing", 200],
  ["GET", "/paths", 200],
  ["GET", `/paths/${HASH}`, 404],
  ["GET", "/stats", 200],
  ["GET", "/pins", 200],
  ["GET", "/pins/deployed", 404],
];
const ADMIN: [Method, string, number][] = [
  ["DELETE", `/paths/${HASH}`, 404],
  ["POST", "/reindex", 200],
  ["GET", "/reindex", 404],
  ["POST", "/check", 200],
  ["GET", "/check", 404],
  ["POST", "/gc", 200],
  ["GET", "/gc", 404],
];

function sentTo(path: string): { body?: unknown } {
  return path === "/missing" ? { body: { paths: [] } } : {};
}

describe("permissions", () => {
  it.each(PULL)("a public listing answers %s %s to anybody", async (method, path, status) => {
    const cache = apiCache({ LISTING: "public" });
    expect(await call(cache, method, path, { token: "", ...sentTo(path) })).toMatchObject({ status });
  });

  it.each(PULL)("a private cache answers %s %s to its readers only", async (method, path, status) => {
    const cache = apiCache({ PULL_TOKEN });
    for (const token of [PULL_TOKEN, PUSH_TOKEN, ADMIN_TOKEN]) {
      expect(await call(cache, method, path, { token, ...sentTo(path) })).toMatchObject({ status });
    }
    for (const token of ["", "wrong"]) {
      const answer = await call(cache, method, path, { token, ...sentTo(path) });
      expect(answer.status).toBe(401);
      expect(answer.headers.get("WWW-Authenticate")).toMatch(/^Basic /);
    }
  });

  it.each(ADMIN)("only an administrator may %s %s", async (method, path, status) => {
    const cache = apiCache({ PULL_TOKEN });
    expect(await call(cache, method, path, { token: ADMIN_TOKEN })).toMatchObject({ status });
    await refusal(cache, method, path, 401);
    await refusal(cache, method, path, 401, { token: "wrong" });
    await refusal(cache, method, path, 403, { token: PUSH_TOKEN });
    await refusal(cache, method, path, 403, { token: PULL_TOKEN });
  });

  it.each(ADMIN)("without an ADMIN_TOKEN nobody may %s %s", async (method, path) => {
    const cache = apiCache({ ADMIN_TOKEN: "" });
    expect(await refusal(cache, method, path, 403, { token: ADMIN_TOKEN })).toContain("ADMIN_TOKEN");
  });

  it("the description is for anybody", async () => {
    expect(await call(apiCache({ PULL_TOKEN }), "GET", "/openapi.json")).toMatchObject({ status: 200 });
  });
});

describe("a refusal under /api is a problem", () => {
  it.each([
    ["GET", "/api/v1/nonsense", 404, "Not Found"],
    ["GET", "/api", 404, "Not Found"],
    ["GET", "/api?x", 404, "Not Found"],
    ["GET", "/api/v2/paths", 404, "Not Found"],
    ["GET", "/api/v1/paths/tooshort", 400, "Bad Request"],
    ["GET", `/api/v1/paths/${"e".repeat(32)}`, 400, "Bad Request"],
    ["GET", `/api/v1/paths/${HASH}/nonsense`, 400, "Bad Request"],
    ["GET", `/api/v1/tokens/${"A".repeat(22)}/nonsense`, 404, "Not Found"],
    ["PUT", "/api/v1/paths/tooshort", 404, "Not Found"],
    ["GET", "/api/v1/tokens/exchange", 405, "Method Not Allowed"],
    ["GET", "/api/v1/paths/", 400, "Bad Request"],
    ["GET", "/api/v1/%zz", 400, "Bad Request"],
    ["GET", "/team/api/v1/%zz", 400, "Bad Request"],
    ["GET", "/team/api/v1/pins/%c2%84", 400, "Bad Request"],
    ["GET", `/api/${"x".repeat(2000)}`, 414, "URI Too Long"],
    ["PUT", "/api/v1/paths", 405, "Method Not Allowed"],
    ["POST", "/api/v1/missing", 400, "Bad Request"],
    ["DELETE", `/api/v1/paths/${HASH}`, 401, "Unauthorized"],
  ])("%s %s: %i", async (method, path, status, title) => {
    const answer = await apiCache({ CACHES: { team: {} } }).fetch(path, { method });
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(answer.headers.get("Cache-Control")).toBe("no-store");
    expect(answer.status).toBe(status);
    const problem = JSON.parse(answer.text) as Problem;
    expect(problem).toEqual({ type: "about:blank", title, status, detail: expect.any(String) });
    expect(problem.detail).toMatch(/^[\x20-\x7e]+$/);
  });

  it.each(OPERATIONS.filter(({ path }) => path.includes("{")))(
    "$method $path: says which form the parameter must have",
    async (operation) => {
      for (const name of operation.path.match(/(?<=\{)\w+(?=\})/g) ?? []) {
        const path = pathOf(operation, { [name]: "!" });
        expect(await refusal(apiCache(), operation.method, path, 400)).toMatch(
          new RegExp(`^the path parameter '${name}' must be `),
        );
      }
    },
  );

  it("says what form a path's hash has", async () => {
    expect(await refusal(apiCache(), "GET", "/paths/nothash", 400)).toBe(
      "the path parameter 'hash' must be a store path, HASH-NAME, or its 32 characters HASH",
    );
  });

  it.each(OPERATIONS.filter(({ body }) => body && !v.is(body, {})))(
    "$method $path: says what an empty body should be",
    async (operation) => {
      const { method } = operation;
      expect(await refusal(apiCache(), method, pathOf(operation), 400, { token: ADMIN_TOKEN })).toBe(
        `the body is empty; it must be like ${JSON.stringify(bodyOf(operation))}`,
      );
    },
  );

  it("says which methods there are", async () => {
    const answer = await apiCache().fetch(`/api/v1/paths/${HASH}`, { method: "PUT" });
    expect(answer).toMatchObject({ status: 405 });
    expect(answer.headers.get("Allow")).toBe("DELETE, GET, HEAD");
  });

  it("has no body for HEAD", async () => {
    const answer = await apiCache().head("/api/v1/nonsense");
    expect(answer).toMatchObject({ status: 404, text: "" });
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
  });

  it("repeats what was sent on one line of printable characters", async () => {
    const detail = await refusal(
      apiCache(),
      "GET",
      `/paths?${encodeURIComponent("a\n\u001b[31m\u00e9")}=1`,
      400,
    );
    expect(detail).toMatch(/^unknown parameter 'a \[31mé'/);
  });

  it.each([
    ["GET", "/nonsense", 404],
    ["GET", "/apix", 404],
    ["GET", "/log/api/v1", 404],
    ["POST", "/nix-cache-info", 405],
    ["PUT", `/${HASH}.narinfo`, 401],
  ])("elsewhere it stays a line of text: %s %s", async (method, path, status) => {
    await expectRefusal(await apiCache().fetch(path, { method }), status);
  });
});

describe("with a catalog that fails", () => {
  it.each([
    ["POST", "/missing"],
    ["GET", "/paths"],
    ["GET", `/paths/${HASH}`],
    ["DELETE", `/paths/${HASH}`],
    ["GET", "/stats"],
    ["POST", "/reindex"],
    ["GET", "/reindex"],
    ["POST", "/check"],
    ["GET", "/check"],
    ["GET", "/pins"],
    ["GET", "/pins/deployed"],
    ["DELETE", "/pins/deployed"],
    ["POST", "/gc"],
    ["GET", "/gc"],
  ] as [Method, string][])("%s %s is a 503 that says to try again", async (method, path) => {
    const cache = apiCache();
    await breakCatalog();
    const answer = await call<Problem>(cache, method, path, { token: ADMIN_TOKEN, ...sentTo(path) });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Retry-After")).toBe("5");
    expect(answer.body.detail).toMatch(/catalog .* did not answer.* try/);
    expect(answer.body.detail).not.toMatch(/SQL|no such table/);
    expect(errors).toHaveBeenCalledWith("the catalog did not answer", expect.any(Error));
  });

  it("reading goes on, and a write is refused in a line", async () => {
    const cache = apiCache();
    const path = await testPath("here-1.0");
    await push(cache, path);
    await breakCatalog();
    expect(await cache.get(`/${path.key}`)).toMatchObject({ status: 200, text: path.text });
    expect(await cache.get(`/${path.narKey}`)).toMatchObject({ status: 200 });
    expect(await cache.get("/nix-cache-info")).toMatchObject({ status: 200 });
    expect(await cache.get(`/${HASH}.narinfo`)).toMatchObject({ status: 404 });
    await expectRefusal(await cache.put(`/${path.key}`, path.text), 503);
  });
});
