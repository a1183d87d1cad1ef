/** Checking any OIDC token gives an answer. */
import fc from "fast-check";
import { base64url } from "jose";
import { expect, test } from "vitest";
import { createKeySource } from "../../../src/auth/oidc/jwks.ts";
import { verifyOidc } from "../../../src/auth/oidc/verify.ts";
import { issuer, rulesOf, setUpIssuer } from "./verifier.ts";

setUpIssuer();

test("whatever a token's header and claims are, the check never throws", async () => {
  const source = createKeySource();
  const rules = rulesOf({});
  const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
  const part = (likely: Record<string, fc.Arbitrary<unknown>>) =>
    fc.oneof(fc.record(likely, { requiredKeys: [] }), fc.jsonValue());
  const odd = fc.oneof(fc.jsonValue(), fc.constant({ toString: 1, unwrap: 1 }));
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
