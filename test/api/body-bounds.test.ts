/** Odd bodies, parameters and headers of the API: refused by a limit that the description and the message name. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import { OPERATIONS } from "../../src/api/operations.ts";
import { ADMIN_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { bodyOf, pathOf } from "../support/operations.ts";
import { apiCache, call, refusal } from "./api.ts";
import { describedAs } from "./schema.ts";

afterEach(() => reset());
captureLog();

const TOKEN_SECRET = "a-secret-that-mints-tokens-and-is-long-enough";
const MIB = 1024 * 1024;
const WITH_BODY = OPERATIONS.filter(({ id, body }) => body && id !== "exchangeToken");

/** Calls with a text of these tests; the test's runner parses others. */
function parsed(parse: ReturnType<typeof vi.spyOn>): unknown[] {
  return parse.mock.calls.filter(([text]: unknown[]) => /^(?:\[\[|\{"a"|\{"paths":\[\[)/.test(String(text)));
}

describe.each(WITH_BODY)("a body of $id", (operation) => {
  const { method, maxBodyBytes = 16 * 1024, maxBodyValues = 1000 } = operation;
  const path = pathOf(operation);
  const large = Math.min(maxBodyBytes, 8 * MIB) - 100;

  it.each<[string, string, number, RegExp]>([
    ["brackets", "[".repeat(large), 400, /nested deeper than 16 levels, the limit/],
    ["100,000 brackets or as many as fit", "[".repeat(Math.min(100_000, large)), 400, /16 levels, the limit/],
    ["braces", '{"a":'.repeat(large / 5), 400, /nested deeper than 16 levels, the limit/],
    ["brackets in a property", `{"paths":${"[".repeat(large - 20)}`, 400, /nested deeper than 16 levels/],
    ["well-formed nesting", `{"a":${"[".repeat(16)}${"]".repeat(16)}}`, 400, /nested deeper than 16 levels/],
    [
      "empty arrays",
      `{"a":[${"[],".repeat(large / 3 - 10)}1]}`,
      413,
      new RegExp(`more than ${maxBodyValues} JSON values, the limit`),
    ],
    ["brackets after the object", `{"a":1}${"[".repeat(1000)}`, 400, /is not JSON/],
    [
      "one byte more than the limit",
      `{"a":"${"x".repeat(maxBodyBytes - 7)}"}`,
      413,
      new RegExp(`${maxBodyBytes}`),
    ],
    ["not UTF-8, and nested", `\ud800${"[".repeat(10)}`, 400, /not UTF-8/],
    ["a text of brackets", JSON.stringify("[".repeat(1000)), 400, /must be an object/],
    ["a number of many digits", "1".repeat(10_000), 400, /must be an object/],
  ])("of %s", async (_, body, status, limit) => {
    const cache = apiCache({ TOKEN_SECRET });
    const parse = vi.spyOn(JSON, "parse");
    const begun = performance.now();
    const answer = await cache.fetch(`/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      body,
    });
    const { detail } = JSON.parse(answer.text) as { detail: string };
    expect([answer.status, detail]).toEqual([status, expect.stringMatching(limit)]);
    if (/levels|values/.test(limit.source)) expect(parsed(parse)).toEqual([]);
    expect(performance.now() - begun).toBeLessThan(5000);
    parse.mockRestore();
  });

  it("as large as it may be is read", async () => {
    const body = JSON.stringify(bodyOf(operation)).padEnd(maxBodyBytes, " ");
    const { status } = await call(apiCache({ TOKEN_SECRET }), method, path, { token: ADMIN_TOKEN, body });
    // 409: nothing is there to pin or to sign with.
    expect([200, 409]).toContain(status);
  });

  it("is described with its limits", () => {
    expect(describedAs(operation).requestBody?.description).toBe(
      `At most ${maxBodyBytes} bytes, ${maxBodyValues} JSON values, and 16 levels of arrays and objects.`,
    );
  });

  it("is not unpacked: a coding of the body is no part of the API", async () => {
    const answer = await apiCache().fetch(`/api/v1${path}`, {
      method,
      headers: { Authorization: `Bearer ${ADMIN_TOKEN}`, "Content-Encoding": "gzip" },
      body: new Response("{}").body?.pipeThrough(new CompressionStream("gzip")) ?? null,
    });
    expect(answer.status).toBe(400);
  });
});

describe("lists and texts in a body", () => {
  it.each<[string, string, unknown, number, RegExp]>([
    ["too many paths", "/missing", { paths: Array(20_001).fill("0".repeat(32)) }, 413, /at most 20000 items/],
    [
      "a path that is too long",
      "/missing",
      { paths: [`/nix/store/${"a".repeat(5000)}`] },
      400,
      /paths\[0\]: .*4096/,
    ],
    ["a path of slashes", "/missing", { paths: ["/".repeat(MIB)] }, 400, /paths\[0\]: /],
    [
      "17 caches",
      "/tokens",
      { name: "a", permissions: ["pull"], caches: Array(17).fill("a"), expires_in: 60 },
      413,
      /16/,
    ],
    [
      "a long name",
      "/tokens",
      { name: "a".repeat(129), permissions: ["pull"], caches: ["a"], expires_in: 60 },
      400,
      /128/,
    ],
    [
      "1e9 seconds",
      "/tokens",
      { name: "a", permissions: ["pull"], caches: ["a"], expires_in: 1e9 },
      400,
      /expires_in/,
    ],
    [
      "1e400 seconds",
      "/tokens",
      '{"name":"a","permissions":["pull"],"caches":["a"],"expires_in":1e400}',
      400,
      /expires_in/,
    ],
  ])("%s", async (_, path, body, status, detail) => {
    expect(
      await refusal(apiCache({ TOKEN_SECRET }), "POST", path, status, { token: ADMIN_TOKEN, body }),
    ).toMatch(detail);
  });
});

describe("parameters", () => {
  it.each([
    ["limit=1e9", /limit/],
    ["limit=1000000000", /limit/],
    ["limit=0", /limit/],
    ["limit=-1", /limit/],
    ["limit=1.5", /limit/],
    [`limit=${"9".repeat(400)}`, /limit/],
    ["limit=0x10", /limit/],
    ["limit=NaN", /limit/],
    ["limit=", /limit/],
    ["limit=1&limit=1", /twice/],
    [`cursor=${"A".repeat(1025)}`, /cursor/],
    [`cursor=${btoa("[".repeat(700)).replaceAll("=", "")}`, /cursor/],
    [`q=${"x".repeat(212)}`, /211/],
    [`prefix=${"x".repeat(212)}`, /211/],
    [Array.from({ length: 3000 }, (_, n) => `a${n}=1`).join("&"), /unknown parameter 'a0'/],
  ])("%s", async (query, detail) => {
    expect(await refusal(apiCache(), "GET", `/paths?${query}`, 400, { token: ADMIN_TOKEN })).toMatch(detail);
  });

  it("a query that is too long is 414", async () => {
    const answer = await apiCache().fetch(`/api/v1/paths?q=${"x".repeat(40_000)}`);
    expect(answer.status).toBe(414);
  });
});

it("an Authorization header that is longer than any token is none", async () => {
  const answer = await apiCache().fetch("/api/v1/whoami", {
    headers: { Authorization: `Bearer ${"x".repeat(40_000)}` },
  });
  expect([answer.status, answer.text]).toEqual([401, expect.stringContaining("Authorization header")]);
});
