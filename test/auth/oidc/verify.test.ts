/** OIDC tokens: which of an issuer's tokens are accepted, and the messages of refusals, over real HTTP. */
// @module-tag slow
import { describe, expect, test } from "vitest";
import { looksLikeJwt } from "../../../src/auth/oidc/verify.ts";
import { AUDIENCE, issuer, MAIN, refused, rulesOf, setUpIssuer, verify, warnings } from "./verifier.ts";

setUpIssuer();

describe("a right token", () => {
  test.each(["RS256", "ES256", "EdDSA"] as const)("signed with %s", async (algorithm) => {
    const exp = Math.floor(Date.now() / 1000) + 100;
    expect(await verify(await issuer.token({ ...MAIN, exp }, { algorithm }))).toEqual({
      ok: true,
      identity: {
        name: "oidc:repo:acme/app:ref:refs/heads/main",
        credential: "oidc",
        grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
        expiresAt: exp * 1000,
        subject: {
          key: "repo:acme/app:ref:refs/heads/main",
          issuer: issuer.url,
          issuedAt: expect.toSatisfy((time: number) => time % 1000 === 999 && time < Date.now() + 1000),
        },
      },
    });
    expect(warnings).not.toHaveBeenCalled();
  });

  test("whose audience is a list", async () => {
    expect(await verify(await issuer.token({ ...MAIN, aud: ["else", AUDIENCE] }))).toMatchObject({
      ok: true,
    });
  });

  test("that does not name its key, where the issuer has one of that algorithm", async () => {
    expect(await verify(await issuer.token(MAIN, { keyId: null }))).toMatchObject({ ok: true });
  });

  test("that satisfies several rules has the grants of all of them", async () => {
    const rules = rulesOf(
      {},
      { claims: { repository: "acme/*" }, permissions: ["pull"], caches: ["*"] },
      { claims: { repository: "other/*" }, permissions: ["admin"], caches: ["*"] },
      { audience: "https://else.example.org", permissions: ["admin"], caches: ["*"] },
    );
    const result = await verify(await issuer.token(MAIN), rules);
    expect(result.ok && result.identity.grants).toEqual([
      { permissions: ["push"], caches: ["nix-cache"] },
      { permissions: ["pull"], caches: ["*"] },
    ]);
  });

  test("with a subject that is no fit name has one that cannot break the log", async () => {
    const result = await verify(await issuer.token({ ...MAIN, sub: `a\nb "ü" ${"x".repeat(500)}` }));
    expect(result.ok && result.identity.name).toMatch(/^oidc:a_b__+x{50,130}$/);
  });

  test("is good for a minute longer, and earlier, as clocks differ", async () => {
    const now = Math.floor(Date.now() / 1000);
    for (const claims of [{ exp: now - 50 }, { nbf: now + 50 }, { iat: now + 50 }]) {
      expect(await verify(await issuer.token({ ...MAIN, ...claims }))).toMatchObject({ ok: true });
    }
  });
});

describe("a token is refused", () => {
  const now = () => Math.floor(Date.now() / 1000);
  const cases: [string, () => Record<string, unknown>, RegExp][] = [
    [
      "for another audience",
      () => ({ aud: "https://evil.example" }),
      /^rule 1 of OIDC comes nearest, but the audience is "https:\/\/evil.example" and must be "https:\/\/cache/,
    ],
    ["for other audiences", () => ({ aud: ["a", "b"] }), /the audience is "a, b" and must be/],
    ["without an audience", () => ({ aud: undefined }), /the audience is not there and must be/],
    ["that has expired", () => ({ exp: now() - 61 }), /^the token expired at 20\d\d-/],
    ["without an end", () => ({ exp: undefined }), /^the token has no end/],
    ["that is not yet valid", () => ({ nbf: now() + 90 }), /^the token is not valid before 20\d\d-/],
    ["from the future", () => ({ iat: now() + 90 }), /^the token is from the future, 20\d\d-/],
    ["with an end beyond all time", () => ({ exp: 1e300 }), /^a time in the token is not in seconds/],
    [
      "of another repository",
      () => ({ repository: "evil/app", sub: "repo:evil/app:ref:refs/heads/main" }),
      /^rule 1 of OIDC comes nearest, but the claim "repository" is "evil\/app" and must be "acme\/app"$/,
    ],
    ["of a repository whose name goes on", () => ({ repository: "acme/app2" }), /"acme\/app2" and must be/],
    ["of a repository in other letters", () => ({ repository: "Acme/app" }), /"Acme\/app" and must be/],
    ["whose claim is missing", () => ({ repository: undefined }), /the claim "repository" is not there/],
    [
      "whose claim is an object",
      () => ({ repository: { toString: "acme/app" } }),
      /the claim "repository" is not there/,
    ],
    [
      "of nobody's issuer",
      () => ({ iss: "https://evil.example" }),
      /^no rule of OIDC trusts the token's issuer, "https:\/\/evil.example"$/,
    ],
    ["without an issuer", () => ({ iss: undefined }), /trusts the token's issuer, ""$/],
  ];

  test.each(cases)("%s", async (_, claims, message) => {
    expect(refused(await verify(await issuer.token({ ...MAIN, ...claims() })), 401)).toMatch(message);
  });

  test("of a fork's pull request, by a rule for a branch", async () => {
    const rules = rulesOf({ claims: { sub: "repo:acme/app:ref:refs/heads/*" } });
    const pull = { ...MAIN, sub: "repo:acme/app:pull_request", event_name: "pull_request" };
    expect(refused(await verify(await issuer.token(pull), rules), 401)).toMatch(
      /"sub" is "repo:acme\/app:pull_request" and must be "repo:acme\/app:ref:refs\/heads\/\*"$/,
    );
    expect(await verify(await issuer.token(MAIN), rules)).toMatchObject({ ok: true });
  });

  test("where a * would have to run over a colon, and the line says so", async () => {
    const rules = rulesOf({ claims: { sub: "repo:acme/*" } });
    const message = refused(await verify(await issuer.token(MAIN), rules), 401);
    expect(message).toMatch(/; '\*' stops at '\/' and ':', '\*\*' does not$/);
    const all = rulesOf({ claims: { sub: "repo:acme/**" } });
    expect(await verify(await issuer.token(MAIN), all)).toMatchObject({ ok: true });
  });

  test("by the rule that comes nearest, by its number", async () => {
    const rules = rulesOf(
      { audience: "https://else.example.org", claims: { repository: "other/app", ref: "x" } },
      { claims: { repository: "acme/app", event_name: ["release", "schedule"] } },
    );
    expect(refused(await verify(await issuer.token(MAIN), rules), 401)).toBe(
      'rule 2 of OIDC comes nearest, but the claim "event_name" is "push" and must be "release" or "schedule"',
    );
    const far = await verify(await issuer.token({ ...MAIN, repository: "x/y" }), rules);
    expect(refused(far, 401)).toMatch(/^rule 2 .* \(and 1 more\)$/);
  });

  test("with a claim's value bounded and on one line", async () => {
    const result = await verify(await issuer.token({ ...MAIN, repository: `x"\n\u202e${"y".repeat(900)}` }));
    expect(refused(result, 401).length).toBeLessThan(300);
  });

  test("that is none", async () => {
    for (const text of ["", "eyJ", "eyJ.eyJ.x", "a.b.c", "eyJhbGciOiJSUzI1NiJ9.W10.x", "x".repeat(20_000)]) {
      expect(refused(await verify(text), 401)).toBe("the token is no JWT, or has been cut");
    }
  });
});

test("what looks like a JWT", async () => {
  expect(looksLikeJwt(await issuer.token(MAIN))).toBe(true);
  for (const text of ["", "secret", "eyJ", "a.b.c", "nixcache_eyJh.eyJz.c2ln", "eyJh.eyJz.c2ln.x"]) {
    expect(looksLikeJwt(text)).toBe(false);
  }
});
