/** OIDC tokens: which of an issuer's tokens let somebody in, and what a refusal tells, over real HTTP. */
import fc from "fast-check";
import { base64url, SignJWT } from "jose";
import { afterEach, beforeEach, describe, expect, inject, test, vi } from "vitest";
import { createKeySource } from "../../src/auth/jwks.ts";
import { looksLikeJwt, type OidcResult, verifyOidc } from "../../src/auth/oidc.ts";
import { type OidcRule, parseOidc } from "../../src/auth/oidc-config.ts";
import { createIssuer, DISCOVERY, json, KEY_SET, type TestIssuer } from "../support/oidc-issuer.ts";
import type { Script } from "../support/oidc-server.ts";

const AUDIENCE = "https://cache.example.org";
/** What GitHub says of a push to the main branch. */
const MAIN = {
  aud: AUDIENCE,
  sub: "repo:acme/app:ref:refs/heads/main",
  repository: "acme/app",
  repository_owner: "acme",
  event_name: "push",
};

const warnings = vi.spyOn(console, "warn");
let issuer: TestIssuer;

beforeEach(async () => {
  warnings.mockReset().mockImplementation(() => {});
  issuer = await createIssuer(inject("oidcServer"));
});
afterEach(() => {
  // Whatever happened, no part of a token that could be used is in the log.
  expect(JSON.stringify(warnings.mock.calls)).not.toMatch(/eyJ/);
});

function rulesOf(...rules: Record<string, unknown>[]): readonly OidcRule[] {
  const problems: string[] = [];
  const parsed = parseOidc(
    rules.map((rule) => ({
      issuer: issuer.url,
      audience: AUDIENCE,
      claims: { repository: "acme/app" },
      permissions: ["push"],
      caches: ["nix-cache"],
      ...rule,
    })),
    problems,
  );
  expect(problems).toEqual([]);
  return parsed;
}

function verify(token: string, rules = rulesOf({}), now = Date.now()): Promise<OidcResult> {
  return verifyOidc(token, rules, createKeySource(), now);
}

/** Checks a refusal, that the log has it, and gives its line. */
function refused(result: OidcResult, status: 401 | 503): string {
  if (result.ok) throw new Error("it was let in");
  expect(result.status).toBe(status);
  expect(result.message).toMatch(/^[\x20-\x7e]{10,900}$/);
  expect(warnings).toHaveBeenCalledWith(expect.stringContaining(result.message));
  return result.message;
}

describe("a right token", () => {
  test.each(["RS256", "ES256", "EdDSA"] as const)("signed with %s", async (algorithm) => {
    const exp = Math.floor(Date.now() / 1000) + 100;
    expect(await verify(await issuer.token({ ...MAIN, exp }, { algorithm }))).toEqual({
      ok: true,
      identity: {
        name: "oidc:repo:acme/app:ref:refs/heads/main",
        how: "oidc",
        grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
        expiresAt: exp * 1000,
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

test("whatever a token's header and claims are, the check never throws", async () => {
  const source = createKeySource();
  const rules = rulesOf({});
  const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
  const part = (likely: Record<string, fc.Arbitrary<unknown>>) =>
    fc.oneof(fc.record(likely, { requiredKeys: [] }), fc.jsonValue());
  const odd = fc.oneof(fc.jsonValue(), fc.constant({ toString: 1, valueOf: 1 }));
  const header = part({ alg: fc.oneof(fc.constant("RS256"), odd), kid: odd, crit: odd, typ: odd });
  const iss = fc.oneof(fc.constant(issuer.url), odd);
  const payload = part({ iss, exp: fc.oneof(fc.constant(4e9), odd), nbf: odd, iat: odd, aud: odd, sub: odd });
  await fc.assert(
    fc.asyncProperty(header, payload, fc.string(), async (head, body, end) => {
      expect(
        await verifyOidc(`${encode(head)}.${encode(body)}.${end}`, rules, source, Date.now()),
      ).toMatchObject({
        ok: false,
        status: 401,
        message: expect.stringMatching(/^[\x20-\x7e]{10,900}$/),
      });
    }),
    { numRuns: 500 },
  );
});

test("whatever a token's signed claims are, the check never throws", async () => {
  const source = createKeySource();
  const rules = rulesOf({});
  const claims = fc.dictionary(fc.constantFrom("aud", "sub", "repository", "constructor"), fc.jsonValue());
  await fc.assert(
    fc.asyncProperty(claims, async (odd) => {
      expect(await verifyOidc(await issuer.token(odd), rules, source, Date.now())).toMatchObject({
        ok: false,
      });
    }),
    { numRuns: 50 },
  );
});

describe("a forged token is refused", () => {
  const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
  const claims = () => ({ ...MAIN, iss: issuer.url, exp: Math.floor(Date.now() / 1000) + 300 });

  test.each(["none", "None", "NONE", ""])('without a signature: alg "%s"', async (alg) => {
    for (const signature of ["", "AAAA"]) {
      const token = `${encode({ alg, kid: "RS256-1" })}.${encode(claims())}.${signature}`;
      expect(refused(await verify(token), 401)).toMatch(/^the token is signed with ".*", and only RS256/);
    }
    expect(await issuer.requests()).toEqual([]);
  });

  test("signed by HS256 with the public key for its secret", async () => {
    const jwk = JSON.stringify(issuer.keySet().keys[0]);
    for (const secret of [await issuer.publicPem(), jwk]) {
      const token = await new SignJWT(claims())
        .setProtectedHeader({ alg: "HS256", kid: "RS256-1" })
        .sign(new TextEncoder().encode(secret));
      expect(refused(await verify(token), 401)).toMatch(/^the token is signed with "HS256"/);
      // Nor does it help to call it something else.
      const [, payload, signature] = token.split(".");
      const renamed = `${encode({ alg: "RS256", kid: "RS256-1" })}.${payload}.${signature}`;
      expect(refused(await verify(renamed), 401)).toBe("the token's signature is wrong");
    }
  });

  test("signed by a key that the issuer does not know", async () => {
    const other = await createIssuer(inject("oidcServer"));
    const named = await other.token(claims(), { keyId: "mine" });
    expect(refused(await verify(named), 401)).toMatch(/^the token's issuer has no key "mine" for RS256/);
    const unnamed = await other.token(claims());
    expect(refused(await verify(unnamed), 401)).toBe("the token's signature is wrong");
  });

  test("signed by a key in its own header", async () => {
    const other = await createIssuer(inject("oidcServer"));
    const [, payload = "", signature = ""] = (await other.token(claims())).split(".");
    const [jwk] = other.keySet().keys;
    for (const header of [{ jwk }, { jku: `${other.url}${KEY_SET}` }, { x5u: other.url }]) {
      const token = `${encode({ alg: "RS256", kid: "RS256-1", ...header })}.${payload}.${signature}`;
      expect(refused(await verify(token), 401)).toBe("the token's signature is wrong");
    }
    expect(await other.requests()).toEqual([]);
  });

  test("with the name of another key, or of one for another algorithm", async () => {
    for (const keyId of ["ES256-1", "EdDSA-1"]) {
      expect(refused(await verify(await issuer.token(MAIN, { keyId })), 401)).toMatch(/has no key/);
    }
  });

  test("whose claims were changed behind its signature", async () => {
    const [header, , signature] = (await issuer.token({ ...MAIN, repository: "evil/app" })).split(".");
    const message = refused(await verify(`${header}.${encode(claims())}.${signature}`), 401);
    // Nothing of the rules: whoever can sign nothing is told nothing.
    expect(message).toBe("the token's signature is wrong");
  });

  test("with a critical extension that nobody knows", async () => {
    const token = await issuer.token(MAIN);
    const [, payload, signature] = token.split(".");
    const header = encode({ alg: "RS256", kid: "RS256-1", crit: ["b64"], b64: false });
    refused(await verify(`${header}.${payload}.${signature}`), 401);
  });
});

describe("an issuer", () => {
  const huge = { body: '{"keys":[]', padding: 10_000_000 };
  const cases: [string, (url: string) => Script, RegExp][] = [
    ["that is down", () => ({ [DISCOVERY]: { reset: true } }), /openid-configuration cannot be reached/],
    ["whose keys are down", () => ({ [KEY_SET]: { reset: true } }), /\/keys cannot be reached/],
    ["that has an outage", () => ({ [KEY_SET]: { status: 502 } }), /\/keys answered 502/],
    ["that answers after a minute", () => ({ [DISCOVERY]: { delay: 60_000 } }), /not answer within 3000 ms/],
    [
      "that stops in the middle",
      () => ({ [KEY_SET]: { ...json({}), pause: 60_000 } }),
      /not answer within 3000 ms/,
    ],
    ["whose keys are huge", () => ({ [KEY_SET]: huge }), /\/keys is larger than 131072 bytes/],
    ["whose metadata is huge", () => ({ [DISCOVERY]: huge }), /openid-configuration is larger than/],
    ["that sends no JSON", () => ({ [KEY_SET]: { body: "<html>" } }), /\/keys is not JSON/],
    ["that sends a list", () => ({ [KEY_SET]: json([]) }), /\/keys is not a JSON object/],
    ["without keys", () => ({ [KEY_SET]: json({ keys: [] }) }), /\/keys has no key for RS256/],
    [
      "with keys for other uses only",
      () => ({ [KEY_SET]: json({ keys: [{ kty: "oct", k: "AAAA" }, null, 7, { kty: "RSA", use: "enc" }] }) }),
      /\/keys has no key for RS256/,
    ],
    [
      "that lies about who it is",
      (url) => ({ [DISCOVERY]: json({ issuer: "https://else.example", jwks_uri: `${url}${KEY_SET}` }) }),
      /is the metadata of another issuer/,
    ],
    [
      "whose name differs by a slash",
      (url) => ({ [DISCOVERY]: json({ issuer: `${url}/`, jwks_uri: `${url}${KEY_SET}` }) }),
      /is the metadata of another issuer/,
    ],
    [
      "whose keys are at another place without https",
      (url) => ({ [DISCOVERY]: json({ issuer: url, jwks_uri: "http://192.0.2.1/keys" }) }),
      /has no jwks_uri with https/,
    ],
    [
      "whose keys are a file",
      (url) => ({ [DISCOVERY]: json({ issuer: url, jwks_uri: "file:///etc/passwd" }) }),
      /has no jwks_uri with https/,
    ],
    [
      "that sends us elsewhere",
      (url) => ({ [KEY_SET]: { status: 302, headers: { Location: `${url}/elsewhere` } } }),
      /\/keys answered 302/,
    ],
  ];

  test.each(cases)("%s: 503 and never access", async (_, script, why) => {
    await issuer.misbehave(script(issuer.url));
    const begun = Date.now();
    const message = refused(await verify(await issuer.token(MAIN)), 503);
    expect(message).toMatch(/^the token cannot be checked now: http:.*; try again soon$/);
    expect(message).toMatch(why);
    expect(Date.now() - begun).toBeLessThan(5000);
  });

  test("that nobody trusts is never asked", async () => {
    const other = await createIssuer(inject("oidcServer"));
    refused(await verify(await other.token(MAIN)), 401);
    expect(await other.requests()).toEqual([]);
  });

  test("is not asked about a token that is over anyway", async () => {
    refused(await verify(await issuer.token({ ...MAIN, exp: 1 })), 401);
    expect(await issuer.requests()).toEqual([]);
  });
});

test("what looks like a JWT", async () => {
  expect(looksLikeJwt(await issuer.token(MAIN))).toBe(true);
  for (const text of ["", "secret", "eyJ", "a.b.c", "nixcache_eyJh.eyJz.c2ln", "eyJh.eyJz.c2ln.x"]) {
    expect(looksLikeJwt(text)).toBe(false);
  }
});
