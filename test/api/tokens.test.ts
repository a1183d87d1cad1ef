/** Tokens over the API: minted, listed, revoked. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { TokenReport } from "../../src/contract/tokens.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { push, testPath } from "../support/store-paths.ts";
import { apiCache, ask, call, refusal } from "./api.ts";

captureLog();
afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

const ADMIN = { token: ADMIN_TOKEN };
const HOUR = 3600;

interface Minted {
  readonly id: string;
  readonly token: string;
  readonly name: string;
  readonly expires: string;
}
interface Asked {
  readonly name: string;
  readonly permissions: readonly string[];
  readonly caches: readonly string[];
  readonly expires_in: number;
}

const CI: Asked = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: HOUR };

let cache: TestCache;
beforeEach(() => {
  cache = apiCache({ TOKEN_SECRET, PULL_TOKEN, CACHES: { team: {}, "team-b": {} } });
});

function mint(change: Partial<Asked> = {}, token = ADMIN_TOKEN): Promise<Minted> {
  return ask<Minted>(cache, "POST", "/tokens", { token, body: { ...CI, ...change } });
}

async function ids(token: string): Promise<string[]> {
  const { tokens } = await ask<{ tokens: TokenReport[] }>(cache, "GET", "/tokens", { token });
  return tokens.map(({ id }) => id).sort();
}

/** The status of a push with a token. */
async function pushes(token: string): Promise<number> {
  return (await cache.put("/nix-cache-info", "", { Authorization: `Bearer ${token}` })).status;
}

async function reads(token: string): Promise<number> {
  return (await cache.get("/nix-cache-info", { Authorization: `Bearer ${token}` })).status;
}

describe("minting", () => {
  it("gives a token that does what was asked for, and shows it once", async () => {
    const { id, token, expires } = await mint();
    expect(await pushes(token)).toBe(200);
    expect(Date.parse(expires) - Date.now()).toBeGreaterThan((HOUR - 10) * 1000);
    const shown = await ask<TokenReport>(cache, "GET", `/tokens/${id}`, ADMIN);
    expect(shown).toEqual({
      id,
      name: "ci",
      grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
      minted_by: "ADMIN_TOKEN",
      created: expect.any(String),
      expires,
    });
    expect(await ask(cache, "GET", "/tokens", ADMIN)).toEqual({ tokens: [shown] });
  });

  it("writes the token's name into what it pushes", async () => {
    const { token } = await mint();
    const path = await testPath();
    const Authorization = `Bearer ${token}`;
    await cache.put(`/${path.narKey}`, path.nar, { Authorization });
    await cache.put(`/${path.key}`, path.text, { Authorization });
    const detail = await ask(cache, "GET", `/paths/${path.info.storePath.hash}`, { token });
    expect(detail).toMatchObject({ pushed_by: "token:ci" });
  });

  it.each([
    ["more than it holds", { permissions: ["admin"], caches: ["*"] }, /may not grant admin on \*/],
    ["another cache", { permissions: ["pull"], caches: ["nix-cache"] }, /may not grant pull on nix-cache/],
    ["a longer life", { permissions: ["push"], caches: ["team-b"], expires_in: 2 * HOUR }, /cannot outlive/],
  ])("with a token gives nobody %s", async (_, change, detail) => {
    const { token } = await mint({ permissions: ["admin"], caches: ["team*"] });
    // At the cache that it is an administrator of.
    const answer = await cache.fetch("/team/api/v1/tokens", {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: JSON.stringify({ ...CI, ...change }),
    });
    expect([answer.status, answer.text]).toEqual([403, expect.stringMatching(detail)]);
    expect(await ids(ADMIN_TOKEN)).toHaveLength(1);
  });

  it("needs the admin permission", async () => {
    for (const token of [PUSH_TOKEN, PULL_TOKEN, (await mint()).token]) {
      expect(await refusal(cache, "POST", "/tokens", 403, { token, body: CI })).toContain("admin permission");
    }
    await refusal(cache, "POST", "/tokens", 401, { body: CI });
  });

  it("is switched off without a TOKEN_SECRET, and the refusal says how to switch it on", async () => {
    cache = apiCache();
    expect(await refusal(cache, "POST", "/tokens", 403, { ...ADMIN, body: CI })).toBe(
      "minting is switched off: no TOKEN_SECRET is configured; set one with 'openssl rand -hex 32 | npm run wrangler -- secret put TOKEN_SECRET'",
    );
  });

  it.each([
    [{ name: "" }, /^name: /],
    [{ name: "a\nb" }, /^name: /],
    [{ permissions: [] }, /^permissions: /],
    [{ permissions: ["root"] }, /^permissions\[0\]: must be pull or push or admin$/],
    [{ caches: ["Team"] }, /^caches\[0\]: must be the name of a cache, or a pattern/],
    [{ name: "oidc:x" }, /^name: .* not begin with oidc:/],
    [{ expires_in: 59 }, /^expires_in: /],
    [{ expires_in: 1e9 }, /^expires_in: /],
    [{ expire: 60 }, /^unknown property 'expire': the body takes name, permissions, caches, expires_in$/],
  ])("refuses %o", async (change, detail) => {
    const body = { ...CI, ...change };
    expect(await refusal(cache, "POST", "/tokens", 400, { ...ADMIN, body })).toMatch(detail);
    expect(await ids(ADMIN_TOKEN)).toEqual([]);
  });

  it("refuses a cache that is not there, but no pattern", async () => {
    const body = { ...CI, caches: ["team", "teem"] };
    expect(await refusal(cache, "POST", "/tokens", 404, { ...ADMIN, body })).toBe(
      "caches: there is no cache teem; CACHES declares it first (this cache is called nix-cache)",
    );
    expect(await ids(ADMIN_TOKEN)).toEqual([]);
    expect(await mint({ caches: ["later-*"] })).toMatchObject({ name: "ci" });
  });
});

describe("a token is seen by those only who may do all that it may", () => {
  it("in the list, by its id, and when it is to be revoked", async () => {
    const all = await mint({ permissions: ["admin"], caches: ["*"] });
    const own = await mint({ permissions: ["admin"], caches: ["nix-cache"] });
    const ci = await mint();
    const team = await mint({ caches: ["team"] });
    expect(await ids(ADMIN_TOKEN)).toEqual([all, own, ci, team].map(({ id }) => id).sort());
    expect(await ids(own.token)).toEqual([own, ci].map(({ id }) => id).sort());
    for (const { id } of [all, team]) {
      for (const method of ["GET", "DELETE"] as const) {
        const unknown = await refusal(cache, method, `/tokens/${"A".repeat(22)}`, 404, own);
        expect(await refusal(cache, method, `/tokens/${id}`, 404, own)).toBe(unknown);
      }
    }
    expect([await pushes(all.token), await reads(team.token)]).toEqual([200, 403]);
    await ask(cache, "DELETE", `/tokens/${ci.id}`, own);
    expect(await pushes(ci.token)).toBe(401);
  });
});

describe("a revoked token", () => {
  it("writes nothing from that moment on, and reads for less than a minute", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
    const { id, token } = await mint();
    expect([await reads(token), await pushes(token)]).toEqual([200, 200]);
    await ask(cache, "DELETE", `/tokens/${id}`, ADMIN);
    // Nothing of this isolate has asked since: as in any other one.
    expect(await reads(token)).toBe(200);
    vi.advanceTimersByTime(49_000);
    expect(await reads(token)).toBe(200);
    vi.advanceTimersByTime(2000);
    expect(await reads(token)).toBe(401);
    expect(await pushes(token)).toBe(401);
  });

  it("is refused by a write at once, and by this isolate's reads from then on", async () => {
    const { id, token } = await mint();
    expect(await reads(token)).toBe(200);
    await ask(cache, "DELETE", `/tokens/${id}`, ADMIN);
    expect(await pushes(token)).toBe(401);
    expect(await reads(token)).toBe(401);
    const { body } = await call<{ detail: string }>(cache, "GET", "/whoami", { token });
    expect(body.detail).toMatch(/the token token:ci has been revoked; get a new one/);
  });

  it("takes along what was minted with it, and only that", async () => {
    const parent = await mint({ permissions: ["admin"] });
    const child = await mint({ permissions: ["admin"], expires_in: 600 }, parent.token);
    const grandchild = await mint({ expires_in: 300 }, child.token);
    const other = await mint();
    await ask(cache, "DELETE", `/tokens/${parent.id}`, ADMIN);
    for (const { token } of [parent, child, grandchild]) expect(await pushes(token)).toBe(401);
    expect(await pushes(other.token)).toBe(200);
    const { tokens } = await ask<{ tokens: TokenReport[] }>(cache, "GET", "/tokens", ADMIN);
    expect(tokens.filter(({ revoked }) => revoked === undefined).map(({ id }) => id)).toEqual([other.id]);
  });

  it("can be revoked again, and shows when it was", async () => {
    const { id } = await mint();
    const first = await ask<TokenReport>(cache, "DELETE", `/tokens/${id}`, ADMIN);
    expect(Date.now() - Date.parse(first.revoked ?? "")).toBeLessThan(10_000);
    expect(await ask(cache, "DELETE", `/tokens/${id}`, ADMIN)).toEqual(first);
  });
});

it("a token ends when it says, and is forgotten", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() });
  const { token } = await mint({ expires_in: 60 });
  expect(await reads(token)).toBe(200);
  vi.advanceTimersByTime(61_000);
  expect([await reads(token), await pushes(token), await ids(ADMIN_TOKEN)]).toEqual([401, 401, []]);
});

it("what is pushed needs no catalog to tell that a token is good for reading, once it has been asked", async () => {
  const { token } = await mint({ permissions: ["pull"] });
  const path = await testPath();
  await push(cache, path);
  await reads(token);
  const before = cache.catalog.calls.length;
  for (let turn = 0; turn < 5; turn++) {
    expect((await cache.get(`/${path.key}`, { Authorization: `Bearer ${token}` })).status).toBe(200);
  }
  expect(cache.catalog.calls.slice(before)).toEqual([]);
});
