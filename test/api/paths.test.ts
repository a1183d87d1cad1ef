/** The API's list of paths: its pages, filters and cursors. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, it } from "vitest";
import type { PathSummary } from "../../src/contract/paths.ts";
import { ADMIN_TOKEN, type TestCache } from "../support/cache.ts";
import { push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";
import { APP, pushRealClosure } from "./real-closure.ts";

afterEach(() => reset());

interface Page {
  readonly paths: readonly PathSummary[];
  readonly next?: string;
}

async function pushAll(cache: TestCache, names: readonly string[]): Promise<void> {
  for (const name of names) expect(await push(cache, await testPath(name))).toMatchObject({ status: 201 });
}

/** Dates the first push of a path: the clock of the tests is too coarse to order them. */
function date(name: string, firstPush: number): Promise<unknown> {
  return inCatalog(({ sql }) => sql.exec("UPDATE paths SET first_push = ? WHERE name = ?", firstPush, name));
}

async function find(cache: TestCache, query: string): Promise<string[]> {
  const { paths } = await ask<Page>(cache, "GET", `/paths?${query}`);
  return paths.map(({ name }) => name).sort();
}

describe("GET /api/v1/paths", () => {
  it("lists nothing of an empty cache", async () => {
    expect(await ask(apiCache(), "GET", "/paths")).toEqual({ paths: [] });
  });

  it("tells of each path what a list needs", async () => {
    const cache = apiCache();
    await pushRealClosure(cache);
    const { paths } = await ask<Page>(cache, "GET", "/paths?prefix=demo-app");
    expect(paths).toEqual([
      {
        hash: APP,
        name: "demo-app-1.0",
        store_path: `/nix/store/${APP}-demo-app-1.0`,
        compression: "xz",
        nar_size: 576,
        file_size: 268,
        signers: ["test-cache-1"],
        first_push: expect.any(String),
        last_push: expect.any(String),
        pushed_by: "PUSH_TOKEN",
        incomplete: false,
      },
    ]);
  });

  it("begins with the newest", async () => {
    const cache = apiCache();
    await pushAll(cache, ["b-1", "c-1", "a-1"]);
    await date("b-1", 2000);
    await date("a-1", 1000);
    const { paths } = await ask<Page>(cache, "GET", "/paths");
    expect(paths.map(({ name }) => name)).toEqual(["c-1", "b-1", "a-1"]);
    expect(paths.at(-1)?.first_push).toBe("1970-01-01T00:00:01.000Z");
  });

  const NAMES = ["hello-2.12", "hello-2.12-man", "Hello_World", "xhellox", "a_b-1", "axb-1", "a?b=c+1.0"];
  it.each([
    ["prefix=hello", ["hello-2.12", "hello-2.12-man"]],
    ["prefix=Hello", ["Hello_World"]],
    ["prefix=hello-2.12", ["hello-2.12", "hello-2.12-man"]],
    ["prefix=hello-2.12-", ["hello-2.12-man"]],
    ["prefix=ello", []],
    ["prefix=", NAMES],
    ["q=hello", ["hello-2.12", "hello-2.12-man", "Hello_World", "xhellox"]],
    ["q=HELLO", ["hello-2.12", "hello-2.12-man", "Hello_World", "xhellox"]],
    ["q=-man", ["hello-2.12-man"]],
    ["q=hello&prefix=x", ["xhellox"]],
    // What would be a wildcard of LIKE or GLOB is a character like any other.
    ["q=a_b", ["a_b-1"]],
    ["prefix=a_", ["a_b-1"]],
    ["q=%25", []],
    ["q=*", []],
    ["q=%3F", ["a?b=c+1.0"]],
    ["q=c%2B1", ["a?b=c+1.0"]],
    ["q='", []],
    [`q=${"n".repeat(211)}`, []],
  ])("?%s finds %j", async (query, names) => {
    const cache = apiCache();
    await pushAll(cache, NAMES);
    expect(await find(cache, query)).toEqual([...names].sort());
  });

  it("turns pages that neither repeat nor leave out a path while others arrive and go", async () => {
    const cache = apiCache();
    const names = Array.from({ length: 20 }, (_, index) => `old-${index}`);
    await pushAll(cache, names);
    // Some at the same instant: then the hash decides.
    for (const [index, name] of names.entries()) await date(name, 1000 * Math.floor(index / 5));

    const seen: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page === 0 || cursor !== undefined; page++) {
      const { paths, next } = await ask<Page>(
        cache,
        "GET",
        `/paths?limit=3${cursor === undefined ? "" : `&cursor=${cursor}`}`,
      );
      expect(paths).toHaveLength(next === undefined ? 2 : 3);
      seen.push(...paths.map(({ name }) => name));
      cursor = next;
      if (page < 5) await pushAll(cache, [`new-${page}-a`, `new-${page}-b`]);
      // The last one that was shown goes: the next page must not depend on it.
      const last = paths.at(-1);
      if (page === 2 && last !== undefined) {
        await inCatalog(({ sql }) => sql.exec("DELETE FROM paths WHERE hash = ?", last.hash));
      }
    }
    expect(seen).toHaveLength(20);
    expect(seen.toSorted()).toEqual(names.toSorted());
  });

  it("has no next page where the last one is just full", async () => {
    const cache = apiCache();
    await pushAll(cache, ["a-1", "b-1"]);
    expect(await ask<Page>(cache, "GET", "/paths?limit=2")).not.toHaveProperty("next");
    expect(await ask<Page>(cache, "GET", "/paths?limit=1")).toHaveProperty("next");
  });

  it.each([
    ["limit=0", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=1001", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=-1", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=1.5", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=99999999999999999999", "parameter 'limit' must be a whole number from 1 to 1000"],
    ["limit=1&limit=2", "parameter 'limit' is given twice"],
    ["cursor=", "parameter 'cursor' must be the 'next' of the page before"],
    ["cursor=!", "parameter 'cursor' must be the 'next' of the page before"],
    [`cursor=${btoa("1/x")}`, "parameter 'cursor' must be the 'next' of the page before"],
    [`q=${"n".repeat(212)}`, "parameter 'q' must have at most 211 characters"],
    ["prefx=hello", "unknown parameter 'prefx': this takes prefix, q, limit, cursor"],
  ])("refuses ?%s", async (query, detail) => {
    expect(await refusal(apiCache(), "GET", `/paths?${query}`, 400)).toBe(detail);
  });

  it("answers HEAD like GET, without a body", async () => {
    const answer = await apiCache().head("/api/v1/paths", { Authorization: `Bearer ${ADMIN_TOKEN}` });
    expect(answer).toMatchObject({ status: 200, text: "" });
    expect(answer.headers.get("Content-Length")).toBe('{"paths":[]}'.length.toString());
  });
});
