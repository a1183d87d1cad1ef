/** Forged OIDC tokens: only signatures by the issuer are accepted. */
import { base64url, SignJWT } from "jose";
import { describe, expect, inject, test } from "vitest";
import { createIssuer, KEY_SET } from "../../support/oidc-issuer.ts";
import { issuer, MAIN, refused, setUpIssuer, verify } from "./verifier.ts";

setUpIssuer();

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
    // Without a valid signature the refusal reveals nothing about the rules.
    expect(message).toBe("the token's signature is wrong");
  });

  test("with an unknown critical extension", async () => {
    const token = await issuer.token(MAIN);
    const [, payload, signature] = token.split(".");
    const header = encode({ alg: "RS256", kid: "RS256-1", crit: ["b64"], b64: false });
    refused(await verify(`${header}.${payload}.${signature}`), 401);
  });
});
