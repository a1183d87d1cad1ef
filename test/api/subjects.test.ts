/** Exchanged tokens: without rows, in any number, and revoked all at once with their subject. */
// @module-tag slow
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, describe, expect, inject, it, vi } from "vitest";
import type { TokenReport } from "../../src/contract/tokens.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, ORIGIN, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { createIssuer, type TestIssuer } from "../support/oidc-issuer.ts";
import { apiCache, ask, inCatalog, refusal } from "./api.ts";

captureLog();

const ADMIN = { token: ADMIN_TOKEN };
const SUB = "repo:acme/app:ref:refs/heads/main";
const PATH = `/subjects/${encodeURIComponent(SUB)}`;
const HOUR_MS = 3_600_000;

interface Minted {
  readonly id: string;
  readonly token: string;
}

interface Revoked {
  readonly subject: string;
  readonly issuer: string | null;
  readonly revoked: string;
  readonly until: string;
}

let cache: TestCache;
let issuer: TestIssuer;
let other: TestIssuer;
beforeEach(async () => {
  // Identity tokens have whole seconds.
  vi.useFakeTimers({ toFake: ["Date"], now: Math.ceil(Date.now() / 1000) * 1000 });
  issuer = await createIssuer(inject("oidcServer"));
  other = await createIssuer(inject("oidcServer"));
  const rule = (url: string) => ({
    issuer: url,
    audience: ORIGIN,
    claims: { repository: "acme/app" },
    permissions: ["admin"],
    caches: ["nix-cache"],
  });
  cache = apiCache({ TOKEN_SECRET, PULL_TOKEN, OIDC: [rule(issuer.url), rule(other.url)] });
});
afterEach(async () => {
  vi.useRealTimers();
  await reset();
});

/** An identity token that is issued now. */
function identity(claims: object = {}, of = issuer): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  return of.token({ aud: ORIGIN, repository: "acme/app", sub: SUB, iat, exp: iat + 3600, ...claims });
}

async function exchange(token?: string): Promise<Minted> {
  return ask<Minted>(cache, "POST", "/tokens/exchange", { token: token ?? (await identity()) });
}

function mint(token: string, change: object = {}): Promise<Minted> {
  const body = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 600, ...change };
  return ask<Minted>(cache, "POST", "/tokens", { token, body });
}

function revoke(path = PATH): Promise<Revoked> {
  return ask<Revoked>(cache, "DELETE", path, ADMIN);
}

async function pushes(token: string): Promise<number> {
  return (await cache.put("/nix-cache-info", "", { Authorization: `Bearer ${token}` })).status;
}

async function reads(token: string): Promise<number> {
  return (await cache.get("/nix-cache-info", { Authorization: `Bearer ${token}` })).status;
}

function rowsWritten(): Promise<number> {
  return inCatalog(({ sql }) => sql.exec("SELECT id FROM tokens").toArray().length);
}

describe("exchanging", () => {
  it("one subject exchanges its token as often as it has jobs, which leaves no row", async () => {
    const token = await identity();
    let last = await exchange(token);
    for (let count = 0; count < 150; count++) last = await exchange(token);
    expect([await pushes(last.token), await rowsWritten()]).toEqual([200, 0]);
    expect(await ask(cache, "GET", "/tokens", ADMIN)).toEqual({ tokens: [] });
  });

  it("the token is in no list, and what revokes it is said", async () => {
    const { id } = await exchange();
    for (const method of ["GET", "DELETE"] as const) {
      expect(await refusal(cache, method, `/tokens/${id}`, 404, ADMIN)).toContain(
        "DELETE /api/v1/subjects/SUBJECT",
      );
    }
  });

  it("it ends by itself", async () => {
    const { token } = await exchange();
    vi.advanceTimersByTime(HOUR_MS + 1000);
    expect([await pushes(token), await reads(token)]).toEqual([401, 401]);
  });
});

describe("a job that mints as many tokens as it may takes none from another job", () => {
  it.each<[string, (jti: string) => Promise<string>]>([
    ["with identity tokens", (jti) => identity({ jti })],
    ["with exchanged tokens", async (jti) => (await exchange(await identity({ jti }))).token],
  ])("%s", async (_, tokenOf) => {
    const [first, second] = [await tokenOf("job-1"), await tokenOf("job-2")];
    for (let count = 0; count < 100; count++) await mint(first);
    const body = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 600 };
    await refusal(cache, "POST", "/tokens", 429, { token: first, body });
    await refusal(cache, "POST", "/tokens", 429, { token: first, body: { ...body, name: "another" } });
    await mint(second);
    await mint(ADMIN_TOKEN);
  });
});

describe("revoking a subject", () => {
  it("refuses its tokens from before, accepts those from after", async () => {
    const [before, its] = [await exchange(), await identity()];
    vi.advanceTimersByTime(1000);
    const revoked = await revoke();
    expect(revoked).toMatchObject({ subject: SUB, issuer: null, revoked: new Date().toISOString() });
    expect(await pushes(before.token)).toBe(401);
    expect(await reads(before.token)).toBe(401);
    // The identity token that a thief still has is not exchanged again.
    expect(await refusal(cache, "POST", "/tokens/exchange", 401, { token: its })).toMatch(
      /the token oidc:repo:acme.* has been revoked; get a new one/,
    );
    // At the same moment as the revocation.
    const after = await exchange(await identity());
    expect([await pushes(after.token), await reads(after.token)]).toEqual([200, 200]);
    expect(await pushes(before.token)).toBe(401);
  });

  it("refuses identity tokens everywhere within a minute", async () => {
    const token = await identity();
    expect([await pushes(token), await reads(token)]).toEqual([200, 200]);
    vi.advanceTimersByTime(1000);
    await revoke();
    vi.advanceTimersByTime(51_000);
    expect([await pushes(token), await reads(token), await pushes(await identity())]).toEqual([
      401, 401, 200,
    ]);
  });

  it("an identity token of the same second is taken for a later one: times of issue are whole seconds", async () => {
    const token = await identity();
    vi.advanceTimersByTime(998);
    await revoke();
    expect(await pushes((await exchange(token)).token)).toBe(200);
  });

  it("again revokes what was issued meanwhile", async () => {
    await revoke();
    const { token } = await exchange();
    vi.advanceTimersByTime(1000);
    await revoke();
    expect(await pushes(token)).toBe(401);
  });

  it("takes along what was minted with its tokens, however far", async () => {
    const byIdentity = await mint(await identity(), { permissions: ["admin"] });
    const byExchanged = await mint((await exchange()).token, { permissions: ["admin"] });
    const grandchildren = [await mint(byIdentity.token), await mint(byExchanged.token)];
    const ofOthers = [
      await mint(ADMIN_TOKEN),
      await mint((await exchange(await identity({ sub: "x" }))).token),
    ];
    const family = [byIdentity, byExchanged, ...grandchildren];
    for (const { token } of family) expect(await pushes(token)).toBe(200);
    vi.advanceTimersByTime(1000);
    await revoke();
    for (const { token } of family) expect(await pushes(token)).toBe(401);
    for (const { token } of ofOthers) expect(await pushes(token)).toBe(200);
    const { tokens } = await ask<{ tokens: TokenReport[] }>(cache, "GET", "/tokens", ADMIN);
    const revoked = tokens.filter((each) => each.revoked !== undefined).map(({ id }) => id);
    expect(revoked.sort()).toEqual(family.map(({ id }) => id).sort());
  });

  it("mints nothing more with its tokens", async () => {
    const { token } = await exchange();
    await revoke();
    const body = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 600 };
    await refusal(cache, "POST", "/tokens", 401, { token, body });
    expect(await rowsWritten()).toBe(0);
  });

  it("of one issuer leaves that of another alone", async () => {
    const [its, others] = [await exchange(), await exchange(await identity({}, other))];
    const revoked = await revoke(`${PATH}?issuer=${encodeURIComponent(issuer.url)}`);
    expect(revoked.issuer).toBe(issuer.url);
    expect([await pushes(its.token), await pushes(others.token)]).toEqual([401, 200]);
    await revoke();
    expect(await pushes(others.token)).toBe(401);
  });

  it.each([
    ["as it is", "repo:acme/app", "/subjects/repo:acme/app"],
    ["encoded", "repo:acme/app", "/subjects/repo%3Aacme%2Fapp"],
    ["in small letters", "repo:acme/app", "/subjects/repo%3aacme%2fapp"],
    ["as in pushed_by", "repo:acme/app", "/subjects/token:oidc:repo:acme%2Fapp"],
    ["as in minted_by", "repo:acme/app", "/subjects/oidc:repo:acme%2Fapp"],
    [
      "a URL",
      "spiffe://example.org/a/../b//c/",
      `/subjects/${encodeURIComponent("spiffe://example.org/a/../b//c/")}`,
    ],
    ["with a question mark and blanks", "auth0|a b?c#d", `/subjects/${encodeURIComponent("auth0|a b?c#d")}`],
    [
      "with a backslash and a percent sign",
      "dom\\user%2F",
      `/subjects/${encodeURIComponent("dom\\user%2F")}`,
    ],
    ["as it is shown", "auth0|böb", "/subjects/auth0_b_b"],
    ["very long", `x${"y".repeat(300)}`, `/subjects/x${"y".repeat(300)}`],
    ["that begins like a name", "oidc:oidc", "/subjects/oidc:oidc"],
    ["with dots", "a.b..c", "/subjects/a.b..c"],
  ])("takes a subject %s", async (_, sub, path) => {
    const { token } = await exchange(await identity({ sub }));
    const another = await exchange(await identity({ sub: `another ${sub}` }));
    await revoke(path);
    expect([await pushes(token), await pushes(another.token)]).toEqual([401, 200]);
  });

  it("of nobody is harmless, and is said with the form that counts", async () => {
    expect(await revoke("/subjects/no%20such")).toMatchObject({ subject: "no_such" });
  });

  it.each(["/subjects/", "/subjects", "/subjects/%zz", "/subjects/!", `/subjects/${"x".repeat(1001)}`])(
    "not %s",
    async (path) => {
      const { status } = await cache.fetch(`/api/v1${path}`, {
        method: "DELETE",
        headers: { Authorization: `Bearer ${ADMIN_TOKEN}` },
      });
      expect([400, 404, 414]).toContain(status);
    },
  );

  it("is for administrators of all caches", async () => {
    const { token } = await exchange(await identity({ sub: "admin" }));
    const everywhere = await mint(ADMIN_TOKEN, { permissions: ["admin"], caches: ["*"] });
    expect(await refusal(cache, "DELETE", PATH, 403, { token })).toMatch(/on all caches/);
    await refusal(cache, "DELETE", PATH, 403, { token: PUSH_TOKEN });
    await refusal(cache, "DELETE", PATH, 401);
    await ask(cache, "DELETE", PATH, { token: everywhere.token });
  });

  it("is forgotten when the last of its tokens has expired, in a row each until then", async () => {
    const { until, revoked } = await revoke();
    await revoke();
    await revoke("/subjects/another");
    const rows = () =>
      inCatalog(({ sql }) => sql.exec("SELECT subject FROM revoked_subjects").toArray().length);
    expect(await rows()).toBe(2);
    const days = (Date.parse(until) - Date.parse(revoked)) / (24 * HOUR_MS);
    expect(days).toBe(31);
    vi.advanceTimersByTime(days * 24 * HOUR_MS);
    await revoke("/subjects/late");
    expect(await rows()).toBe(1);
  });

  it("the list of revoked subjects is bounded; one that is in it can be revoked again", async () => {
    await revoke();
    await inCatalog(({ sql }) => {
      for (let index = 1; index < 1000; index++) {
        sql.exec(
          "INSERT INTO revoked_subjects (subject, issuer, revoked, expires) VALUES (?, '', 0, ?)",
          ...[`${index}`, Date.now() + HOUR_MS],
        );
      }
    });
    expect(await refusal(cache, "DELETE", "/subjects/more", 409, ADMIN)).toMatch(/TOKEN_SECRET/);
    await revoke();
  });
});
