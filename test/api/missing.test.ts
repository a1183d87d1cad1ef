/** Which of these paths are missing: what a client asks before it pushes. */
import { reset } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { indexPath } from "../../src/catalog/rows/index-path.ts";
import { MAX_PATHS } from "../../src/contract/paths.ts";
import { watch } from "../support/bucket.ts";
import { ADMIN_TOKEN, PUSH_TOKEN } from "../support/cache.ts";
import { hashOfMany, manyPaths } from "../support/many-paths.ts";
import { push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";

afterEach(() => reset());

/** Hash parts of missing paths. */
function strangers(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String(index).padStart(32, "0"));
}

describe("POST /api/v1/missing", () => {
  it("answers in the form in which each path was sent, in that order and once", async () => {
    const cache = apiCache();
    const here = await testPath("here-1.0");
    await push(cache, here);
    const { storePath } = here.info;
    const [a = "", b = "", c = ""] = strangers(3);
    const paths = [
      `/nix/store/${a}-gone-1.0`,
      storePath.hash,
      `${b}-gone?plus+1.0`,
      storePath.baseName,
      c,
      `/nix/store/${storePath.baseName}`,
      a,
      c,
    ];
    expect(await ask(cache, "POST", "/missing", { body: { paths } })).toEqual({
      missing: [`/nix/store/${a}-gone-1.0`, `${b}-gone?plus+1.0`, c, a],
    });
  });

  it("takes an empty list", async () => {
    expect(await ask(apiCache(), "POST", "/missing", { body: { paths: [] } })).toEqual({ missing: [] });
  });

  it("takes the store directory of the configuration, and no other", async () => {
    const [hash = ""] = strangers(1);
    const cache = apiCache({ STORE_DIR: "/gnu/store" });
    const own = `/gnu/store/${hash}-x`;
    expect(await ask(cache, "POST", "/missing", { body: { paths: [own] } })).toEqual({ missing: [own] });
    const detail = await refusal(cache, "POST", "/missing", 400, {
      body: { paths: [own, `/nix/store/${hash}-x`] },
    });
    expect(detail).toMatch(/^paths\[1\]: .*not in the store \/gnu\/store/);
  });

  it("answers for 10,000 paths that are here within two seconds, as a second push asks", async () => {
    const count = 10_000;
    await push(apiCache(), await testPath("first-1.0"));
    await inCatalog((c) => manyPaths(c, count));
    const paths = Array.from({ length: count }, (_, number) => hashOfMany(number));
    const start = Date.now();
    expect(await ask(apiCache(), "POST", "/missing", { body: { paths }, token: PUSH_TOKEN })).toEqual({
      missing: [],
    });
    expect(Date.now() - start).toBeLessThan(2_000);
  });

  it("answers for 20,000 paths with one call of the catalog and no operation of the bucket", async () => {
    const bucket = watch(env.BUCKET);
    const cache = apiCache({ BUCKET: bucket.bucket });
    const pushed = await testPath("here-1.0");
    await push(apiCache(), pushed);
    // Half of them are here: the other half would be answered from an empty index all too easily.
    const all = strangers(MAX_PATHS);
    const known = all.filter((_, index) => index % 2 === 0);
    await inCatalog((context) => {
      for (const hash of known) {
        const storePath = { ...pushed.info.storePath, hash, baseName: `${hash}-here-1.0` };
        indexPath(context, {
          info: { ...pushed.info, storePath },
          text: pushed.text,
          etag: "etag",
          uploaded: 0,
          firstPush: 0,
          pushedBy: "the test",
        });
      }
    });

    const longest = "n".repeat(211);
    const paths = all.map((hash) => `/nix/store/${hash}-${longest}`);
    const { missing } = await ask<{ missing: string[] }>(cache, "POST", "/missing", {
      body: { paths },
      token: ADMIN_TOKEN,
    });

    expect(missing).toEqual(paths.filter((_, index) => index % 2 === 1));
    expect(cache.catalog.calls).toEqual(["missing"]);
    expect(bucket.operations).toEqual([]);
  });

  it.each([
    ["no JSON", "{", /not JSON/],
    ["an empty body", "", /^the body is empty; it must be like \{"paths"/],
    ["no object", "null", /must be an object like \{"paths"/],
    ["a list", '["a"]', /must be an object like \{"paths"/],
    ["no list", '{"paths": "a"}', /^paths: must be a list$/],
    [
      "something else beside it",
      '{"paths": [], "path": []}',
      /^unknown property 'path': the body takes paths, upstreams$/,
    ],
    ["a number", '{"paths": [1]}', /^paths\[0\]: must be a text$/],
    ["an empty text", `{"paths": ["${"0".repeat(32)}", ""]}`, /^paths\[1\]: must not be empty$/],
    ["a name without a hash", '{"paths": ["hello-1.0"]}', /^paths\[0\]: is neither a store path nor/],
    ["31 characters", `{"paths": ["${"0".repeat(31)}"]}`, /^paths\[0\]: .*neither a store path nor/],
    ["a hash with an e", `{"paths": ["${"e".repeat(32)}"]}`, /^paths\[0\]: .*neither a store path nor/],
    [
      "a hash and a newline",
      `{"paths": ["${"0".repeat(32)}\\n"]}`,
      /^paths\[0\]: .*neither a store path nor/,
    ],
    ["a file in a path", `{"paths": ["/nix/store/${"0".repeat(32)}-a/bin"]}`, /^paths\[0\]: /],
    ["an output of a derivation", `{"paths": ["${"0".repeat(32)}-a.drv!out"]}`, /^paths\[0\]: /],
  ])("refuses %s", async (_, body, detail) => {
    expect(await refusal(apiCache(), "POST", "/missing", 400, { body })).toMatch(detail);
  });

  it("answers for a thousand paths to anybody, for more to members only", async () => {
    const cache = apiCache();
    const paths = strangers(1001);
    const [first] = paths;
    const some = await ask<{ missing: string[] }>(cache, "POST", "/missing", {
      body: { paths: paths.slice(1) },
    });
    expect(some.missing).toHaveLength(1000);
    const calls = cache.catalog.calls.length;
    for (const token of ["", "wrong"]) {
      const detail = await refusal(cache, "POST", "/missing", 401, { body: { paths }, token });
      expect(detail).toMatch(/^more than 1000 paths in one request need a credential.*send a valid one/);
    }
    expect(cache.catalog.calls).toHaveLength(calls);
    const all = await ask<{ missing: string[] }>(cache, "POST", "/missing", {
      body: { paths },
      token: PUSH_TOKEN,
    });
    expect(all.missing[0]).toBe(first);
  });

  it("refuses more than 20,000 paths", async () => {
    const detail = await refusal(apiCache(), "POST", "/missing", 413, {
      body: { paths: strangers(MAX_PATHS + 1) },
    });
    expect(detail).toBe("paths: must have at most 20000 items; ask in several requests");
  });

  it("refuses a body of more than 8 MiB without reading it whole", async () => {
    let sent = 0;
    const chunk = new Uint8Array(1024 * 1024).fill(0x20);
    const endless = new ReadableStream({
      pull: (controller) => {
        sent++;
        controller.enqueue(chunk);
      },
    });
    const response = await apiCache().fetch("/api/v1/missing", { method: "POST", body: endless });
    expect(response.status).toBe(413);
    expect(response.headers.get("Content-Type")).toBe("application/problem+json");
    expect(sent).toBeLessThan(20);
  });
});
