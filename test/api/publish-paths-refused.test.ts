/** Requests to publish many paths that are refused as a whole: of whom, and of which form. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import { MAX_PUBLISHED } from "../../src/contract/publishing.ts";
import { contents, PULL_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { testPath } from "../support/store-paths.ts";
import { apiCache, refusal } from "./api.ts";

afterEach(() => reset());

describe("POST /api/v1/paths", () => {
  it.each([
    ["nobody", "", 401],
    ["a reader", PULL_TOKEN, 403],
  ])("is not for %s", async (_, sender, status) => {
    const path = await testPath();
    const cache = apiCache({ PULL_TOKEN });
    await cache.put(`/${path.narKey}`, path.nar);
    const body = { paths: [{ narinfo: path.text }] };
    await refusal(cache, "POST", "/paths", status, { token: sender, body });
    expect((await contents())[path.key]).toBeUndefined();
  });

  it.each([
    ["no path", { paths: [] }, 400, /^paths: must not be empty$/],
    ["too many", { paths: Array(MAX_PUBLISHED + 1).fill({ narinfo: "x" }) }, 413, /at most 50 items/],
    [
      "a misspelt property",
      { paths: [{ narinfo: "x", lisitng: "{}" }] },
      400,
      /^paths\[0\]: must be an object of a narinfo and perhaps a listing/,
    ],
    [
      "an empty listing",
      { paths: [{ narinfo: "x", listing: "" }] },
      400,
      /^paths\[0\].listing: must not be empty/,
    ],
    ["a number", { paths: [{ narinfo: 1 }] }, 400, /^paths\[0\].narinfo: must be a text$/],
    ["no narinfo", { paths: [{ listing: "{}" }] }, 400, /^paths\[0\].narinfo: is missing$/],
    [
      "a prototype",
      '{"paths":[{"__proto__":{"narinfo":"x"}}]}',
      400,
      /^paths\[0\]: must be an object of a narinfo/,
    ],
    ["depth", `{"paths":${"[".repeat(10_000)}`, 400, /nested/],
    ["more than 4 MiB", { paths: [{ narinfo: "x".repeat(4 * 1024 * 1024) }] }, 413, /4194304 bytes/],
    ["a list of texts", { paths: ["x"] }, 400, /^paths\[0\]: must be an object of a narinfo/],
  ])("refuses %s", async (_, body, status, message) => {
    expect(await refusal(apiCache(), "POST", "/paths", status, { token: PUSH_TOKEN, body })).toMatch(message);
  });
});
