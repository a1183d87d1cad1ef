/** The table of minted tokens: noted, listed, revoked with all that came of them, forgotten. */
import { reset } from "cloudflare:test";
import { afterEach, describe, expect, test } from "vitest";
import { Refused } from "../../../src/catalog/refuse.ts";
import {
  getToken,
  insertToken,
  listTokens,
  purgeExpired,
  revokedIds,
  revokeToken,
  type TokenContext,
} from "../../../src/catalog/rows/tokens.ts";
import { httpErrorOf } from "../../../src/catalog-refusals.ts";
import type { NewToken, TokenReport } from "../../../src/contract/tokens.ts";
import { inCatalog } from "../../support/runs.ts";

afterEach(reset);

const NOW = Date.UTC(2030, 0, 1);
const HOUR = 3_600_000;
const EVERYTHING = [{ permissions: ["admin" as const], caches: ["*"] }];

/** Runs with the table and a clock of its own. */
function withTokens<T>(run: (c: TokenContext, setClock: (time: number) => void) => T): Promise<T> {
  return inCatalog(({ sql }) => {
    let clock = NOW;
    return run({ sql, now: () => clock }, (time) => {
      clock = time;
    });
  });
}

function token(id: string, change: Partial<NewToken> = {}): NewToken {
  return {
    id,
    name: `name-${id}`,
    grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
    mintedBy: "ADMIN_TOKEN",
    parent: undefined,
    createdAt: NOW,
    expiresAt: NOW + HOUR,
    ...change,
  };
}

function listed(c: TokenContext, within: NewToken["grants"] = EVERYTHING): readonly TokenReport[] {
  return listTokens(c, { limit: 1000, within }).tokens;
}

function status(run: () => unknown): number {
  try {
    run();
  } catch (error) {
    if (error instanceof Refused) return httpErrorOf(error.refusal).status;
    throw error;
  }
  return 200;
}

test("a hundred of one name are valid at once: minting in a loop does not use up the plan", () =>
  withTokens((c, setClock) => {
    for (let number = 0; number < 100; number++) insertToken(c, token(`t${number}`, { name: "job" }));
    const more = () => insertToken(c, token("more", { name: "job" }));
    expect(status(more)).toBe(429);
    expect(status(() => insertToken(c, token("other")))).toBe(200);
    revokeToken(c, "t0");
    expect(status(more)).toBe(200);
    setClock(NOW + 2 * HOUR);
    expect(status(() => insertToken(c, token("later", { name: "job" })))).toBe(200);
  }));

test("a token is listed with what it holds, the newest first", () =>
  withTokens((c) => {
    insertToken(c, token("a"));
    insertToken(c, token("b", { createdAt: NOW + 1 }));
    expect(listed(c).map(({ id }) => id)).toEqual(["b", "a"]);
    expect(getToken(c, "a")).toEqual({
      id: "a",
      name: "name-a",
      grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
      minted_by: "ADMIN_TOKEN",
      created: "2030-01-01T00:00:00.000Z",
      expires: "2030-01-01T01:00:00.000Z",
    });
  }));

test("a page has as many tokens that may do no more than the reader, wherever the others are", () =>
  withTokens((c) => {
    const team = [{ permissions: ["pull" as const], caches: ["team"] }];
    for (let number = 0; number < 9; number++) {
      insertToken(
        c,
        token(`t${number}`, { createdAt: NOW - number, ...(number % 3 !== 0 && { grants: team }) }),
      );
    }
    const within = [{ permissions: ["push" as const], caches: ["nix-cache"] }];
    expect(listed(c, within).map(({ id }) => id)).toEqual(["t0", "t3", "t6"]);
    const { tokens, next } = listTokens(c, { limit: 2, within });
    expect([tokens.map(({ id }) => id), next]).toEqual([["t0", "t3"], { created: NOW - 3, id: "t3" }]);
    const last = listTokens(c, { limit: 2, within, ...(next && { after: next }) });
    expect([last.tokens.map(({ id }) => id), last.next]).toEqual([["t6"], undefined]);
  }));

test("a revoked token stays revoked since it was the first time", () =>
  withTokens((c, setClock) => {
    insertToken(c, token("a"));
    insertToken(c, token("b"));
    expect(revokedIds(c)).toEqual([]);
    expect(revokeToken(c, "a").revoked).toBe("2030-01-01T00:00:00.000Z");
    setClock(NOW + 1000);
    expect(revokeToken(c, "a").revoked).toBe("2030-01-01T00:00:00.000Z");
    expect(revokedIds(c)).toEqual(["a"]);
    expect(listed(c).map(({ id, revoked }) => [id, revoked !== undefined])).toEqual([
      ["a", true],
      ["b", false],
    ]);
  }));

test("with a token goes all that was minted with it", () =>
  withTokens((c) => {
    for (const [id, parent] of [
      ["a", undefined],
      ["child", "a"],
      ["grandchild", "child"],
      ["other", undefined],
    ] as const) {
      insertToken(c, token(id, { parent }));
    }
    revokeToken(c, "a");
    expect(revokedIds(c).sort()).toEqual(["a", "child", "grandchild"]);
    // And nothing more is minted with any of them.
    expect(status(() => insertToken(c, token("late", { parent: "child" })))).toBe(403);
    expect(status(() => insertToken(c, token("fine", { parent: "other" })))).toBe(200);
    expect(status(() => insertToken(c, token("lost", { parent: "not in a new catalog" })))).toBe(200);
  }));

describe("an expired token", () => {
  test("is neither listed nor among the revoked", () =>
    withTokens((c, setClock) => {
      insertToken(c, token("a"));
      revokeToken(c, "a");
      setClock(NOW + HOUR - 1);
      expect(revokedIds(c)).toEqual(["a"]);
      setClock(NOW + HOUR);
      expect([revokedIds(c), listed(c)]).toEqual([[], []]);
      expect(status(() => getToken(c, "a"))).toBe(404);
      expect(status(() => revokeToken(c, "a"))).toBe(404);
    }));

  test("is forgotten when the next one is noted, or at a purge", () =>
    withTokens((c, setClock) => {
      const rows = () =>
        c.sql
          .exec<{ id: string }>("SELECT id FROM tokens")
          .toArray()
          .map(({ id }) => id);
      insertToken(c, token("a"));
      insertToken(c, token("b", { expiresAt: NOW + 2 * HOUR }));
      setClock(NOW + HOUR);
      insertToken(c, token("c", { expiresAt: NOW + 3 * HOUR }));
      expect(rows()).toEqual(["b", "c"]);
      setClock(NOW + 2 * HOUR);
      purgeExpired(c);
      expect(rows()).toEqual(["c"]);
    }));
});

test("an unknown id is 404", () =>
  withTokens((c) => {
    expect(status(() => getToken(c, "x"))).toBe(404);
    expect(status(() => revokeToken(c, "x' OR 1=1 --"))).toBe(404);
  }));
