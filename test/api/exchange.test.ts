/** Identity tokens over the API: what they are exchanged for, and what each credential is worth. */
import { reset } from "cloudflare:test";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { HOST, sha256, signed } from "../auth/sigv4/signer.ts";
import { TOKEN_SECRET } from "../auth/wallet.ts";
import { ADMIN_TOKEN, basic, ORIGIN, PULL_TOKEN, PUSH_TOKEN, type TestCache } from "../support/cache.ts";
import { captureLog } from "../support/log.ts";
import { createIssuer, type TestIssuer } from "../support/oidc-issuer.ts";
import { apiCache, ask, refusal } from "./api.ts";

captureLog();
afterEach(reset);

const ADMIN = { token: ADMIN_TOKEN };

interface Minted {
  readonly id: string;
  readonly token: string;
  readonly expires: string;
}

let cache: TestCache;
let issuer: TestIssuer;
beforeEach(async () => {
  issuer = await createIssuer(inject("oidcServer"));
  const rule = {
    issuer: issuer.url,
    audience: ORIGIN,
    claims: { repository: "acme/app" },
    permissions: ["push"],
    caches: ["nix-cache"],
  };
  cache = apiCache({ TOKEN_SECRET, PULL_TOKEN, OIDC: [rule] });
});
const identity = (claims = {}) =>
  issuer.token({ aud: ORIGIN, repository: "acme/app", sub: "repo:acme/app", ...claims });

it("an identity token pushes, and is exchanged for a token of the same worth", async () => {
  const token = await identity();
  expect(await statusOf("PUT", token)).toBe(200);
  for (const [body, seconds] of [
    [undefined, 3600],
    [{ expires_in: 60 }, 60],
    [{ expires_in: 21_600 }, 21_600],
  ] as const) {
    const minted = await ask<Minted>(cache, "POST", "/tokens/exchange", { token, body });
    expect(minted).toMatchObject({
      name: "oidc:repo:acme/app",
      grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
    });
    expect(Math.round((Date.parse(minted.expires) - Date.now()) / 1000 - seconds)).toBeCloseTo(0, -1);
    expect(await statusOf("PUT", minted.token)).toBe(200);
    // Which is none to be exchanged again.
    expect(await refusal(cache, "POST", "/tokens/exchange", 403, minted)).toMatch(/only the identity token/);
  }
});

it("an identity token is exchanged for one that may only pull, and never for one that may do more", async () => {
  const token = await identity();
  const body = { permissions: ["pull"] };
  const minted = await ask<Minted>(cache, "POST", "/tokens/exchange", { token, body });
  expect(minted).toMatchObject({ grants: [{ permissions: ["pull"], caches: ["nix-cache"] }] });
  expect(await statusOf("PUT", minted.token)).toBe(403);
  for (const permissions of [["admin"], []]) {
    const refused = permissions.length === 0 ? 400 : 403;
    await refusal(cache, "POST", "/tokens/exchange", refused, { token, body: { permissions } });
  }
});

it("nothing is granted without an identity token, or with one that no rule accepts", async () => {
  await refusal(cache, "POST", "/tokens/exchange", 401);
  await refusal(cache, "POST", "/tokens/exchange", 401, {
    token: await identity({ repository: "evil/app" }),
  });
  for (const token of [ADMIN_TOKEN, PUSH_TOKEN]) {
    await refusal(cache, "POST", "/tokens/exchange", 403, { token });
  }
  await refusal(cache, "POST", "/tokens/exchange", 400, {
    token: await identity(),
    body: { expires_in: 21_601 },
  });
  expect(await ask(cache, "GET", "/tokens", ADMIN)).toEqual({ tokens: [] });
});

it("a signature is not taken for the token: its body would have to be checked against it", async () => {
  const token = await identity();
  const path = "/api/v1/tokens/exchange";
  const { headers } = signed(
    { method: "POST", host: HOST, path, payloadHash: sha256("what was signed") },
    { time: Date.now(), secret: token, sessionToken: token },
  );
  const { status, text } = await cache.fetch(path, { method: "POST", headers, body: "{}" });
  expect([status, text]).toEqual([400, expect.stringContaining("'Authorization: Bearer TOKEN'")]);
});

it("whoami tells what each credential is worth", async () => {
  const asked = { name: "ci", permissions: ["pull"], caches: ["nix-cache"], expires_in: 3600 };
  const { token, id, expires } = await ask<Minted>(cache, "POST", "/tokens", { ...ADMIN, body: asked });
  const everything = [{ permissions: ["admin"], caches: ["*"] }];
  const own = (permission: string) => [{ permissions: [permission], caches: ["nix-cache"] }];
  const cases: [string | undefined, object][] = [
    [undefined, { name: "anonymous", credential: "none", grants: [] }],
    [ADMIN_TOKEN, { name: "ADMIN_TOKEN", credential: "static", grants: everything }],
    [PUSH_TOKEN, { name: "PUSH_TOKEN", credential: "static", grants: own("push") }],
    [PULL_TOKEN, { name: "PULL_TOKEN", credential: "static", grants: own("pull") }],
    [token, { name: "token:ci", credential: "minted", grants: own("pull"), id, expires }],
    [
      await identity(),
      { name: "oidc:repo:acme/app", credential: "oidc", grants: own("push"), expires: expect.any(String) },
    ],
  ];
  for (const [credential, expected] of cases) {
    const request = credential === undefined ? {} : { token: credential };
    expect(await ask(cache, "GET", "/whoami", request)).toEqual(expected);
  }
  expect(await refusal(cache, "GET", "/whoami", 401, { token: "wrong" })).toMatch(/^the token is wrong; /);
});

it.each([
  ["Basic", basic("nix", "")],
  ["Bearer", "Bearer "],
])("an empty token by %s is called empty", async (_, Authorization) => {
  const { text } = await cache.fetch("/api/v1/whoami", { headers: { Authorization } });
  expect(JSON.parse(text).detail).toMatch(/^the token is empty; /);
  const put = await cache.fetch(`/${"0".repeat(32)}.narinfo`, { method: "PUT", headers: { Authorization } });
  expect(put).toMatchObject({ status: 401, text: expect.stringContaining(", and the token is empty; ") });
});

it("a refusal names the host for netrc", async () => {
  const { hostname } = new URL(ORIGIN);
  const detail = await refusal(cache, "GET", "/whoami", 401, { token: "wrong" });
  expect(detail).toContain(`'machine ${hostname} login any password TOKEN'`);
});

it("503, and no access, while the issuer does not answer", async () => {
  const token = await identity();
  await issuer.misbehave({ "/keys": { status: 500 } });
  expect([await statusOf("PUT", token), await statusOf("GET", token)]).toEqual([503, 503]);
  expect(await refusal(cache, "POST", "/tokens/exchange", 503, { token })).toMatch(/cannot be checked now/);
});

/** The status of a request with a token. */
async function statusOf(method: "GET" | "PUT", token: string): Promise<number> {
  const headers = { Authorization: `Bearer ${token}` };
  const answer = await (method === "GET"
    ? cache.get("/nix-cache-info", headers)
    : cache.put("/nix-cache-info", "", headers));
  return answer.status;
}
