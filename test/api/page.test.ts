/** Every list has pages: what a cursor is, and that each item is on one page. */
import { reset } from "cloudflare:test";
import fc from "fast-check";
import * as v from "valibot";
import { afterEach, describe, expect, it } from "vitest";
import { jsonSchema } from "../../src/api/json-schema.ts";
import type { Operation } from "../../src/api/operation.ts";
import { OPERATIONS } from "../../src/api/operations.ts";
import { pageOf, withCursor } from "../../src/api/page.ts";
import { PATH_POSITION } from "../../src/contract/paths.ts";
import { encodeNix32 } from "../../src/nix/nix32.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";

afterEach(reset);
captureLog();

const ADMIN = { token: ADMIN_TOKEN };
const { cursor } = pageOf(PATH_POSITION);
const cursorOf = (next: unknown) => withCursor({ next }).next ?? "";

describe("a cursor", () => {
  const place = fc.record({
    firstPush: fc.nat(Number.MAX_SAFE_INTEGER),
    hash: fc.uint8Array({ minLength: 20, maxLength: 20 }).map(encodeNix32),
  });

  it("is read back, and needs no escapes in a query", () => {
    fc.assert(
      fc.property(place, (next) => {
        expect(cursorOf(next)).toMatch(/^[\w-]+$/);
        expect(v.parse(cursor, cursorOf(next))).toEqual(next);
      }),
    );
  });

  it("is no other text", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: "binary" }), fc.base64String(), fc.json().map(cursorOf)),
        (text) => {
          const { success, output } = v.safeParse(cursor, text);
          if (success) expect(v.is(PATH_POSITION, output)).toBe(true);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it.each([
    "",
    "a",
    "====",
    cursorOf("a text"),
    cursorOf({ firstPush: -1, hash: "0".repeat(32) }),
    cursorOf({ firstPush: 1, hash: "" }),
    cursorOf({ name: "of another list" }),
  ])("is not '%s'", async (text) => {
    expect(await refusal(apiCache(), "GET", `/paths?cursor=${text}`, 400)).toBe(
      "parameter 'cursor' must be the 'next' of the page before",
    );
  });
});

const PAGE_PARAMETERS = ["limit", "cursor"];
/** A PUT answers with the first page. */
const hasPages = ({ method, answer }: Operation) =>
  method === "GET" && Object.hasOwn(jsonSchema(answer).properties ?? {}, "next");
const LISTS = OPERATIONS.filter((operation) => hasPages(operation) && !operation.path.includes("{")).map(
  ({ path }) => path.slice(1),
);

describe("every list", () => {
  it.each(OPERATIONS)("has pages: $id", (operation) => {
    const { id, parameters = {} } = operation;
    const given = PAGE_PARAMETERS.filter((name) => Object.hasOwn(parameters, name));
    expect(given).toEqual(hasPages(operation) ? PAGE_PARAMETERS : []);
    if (id.startsWith("list")) expect(hasPages(operation), `the answer of ${id} needs ...NEXT`).toBe(true);
  });

  it.each(LISTS)("of %s names each once, in the same order", async (list) => {
    const cache = apiCache({ TOKEN_SECRET });
    for (let index = 0; index < 5; index++) {
      const path = await testPath(`path-${index}`);
      await push(cache, path);
      const body = { store_path: `/nix/store/${path.info.storePath.baseName}` };
      await ask(cache, "PUT", `/pins/pin-${index}`, { ...ADMIN, body });
      const token = { permissions: ["pull"], caches: ["nix-cache"], expires_in: 3600 };
      await ask(cache, "POST", "/tokens", { ...ADMIN, body: { name: `token-${index}`, ...token } });
    }
    // Some of the same moment.
    await inCatalog(({ sql }) => sql.exec("UPDATE tokens SET created = 1000 WHERE name < 'token-3'"));
    type Page = Record<string, unknown> & { next?: string };
    const itemsOf = (page: Page) => Object.values(page).find(Array.isArray) ?? [];
    const whole = await ask<Page>(cache, "GET", `/${list}`, ADMIN);
    expect(itemsOf(whole), `make five ${list} at the beginning of this test`).toHaveLength(5);
    expect(whole).not.toHaveProperty("next");
    const seen: unknown[] = [];
    for (let query = ""; ; ) {
      const page = await ask<Page>(cache, "GET", `/${list}?limit=2${query}`, ADMIN);
      expect(itemsOf(page).length).toBeLessThanOrEqual(2);
      seen.push(...itemsOf(page));
      if (page.next === undefined) break;
      query = `&cursor=${page.next}`;
    }
    expect(seen).toEqual(itemsOf(whole));
  });
});
