/** OIDC issuers that are down, slow or wrong: no token is accepted, and an untrusted issuer is never contacted. */
// @module-tag slow
import { describe, expect, inject, test } from "vitest";
import { createIssuer, DISCOVERY, json, KEY_SET } from "../../support/oidc-issuer.ts";
import type { Script } from "../../support/oidc-server.ts";
import { issuer, MAIN, refused, setUpIssuer, verify } from "./verifier.ts";

setUpIssuer();

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

  test("that is not trusted is never contacted", async () => {
    const other = await createIssuer(inject("oidcServer"));
    refused(await verify(await other.token(MAIN)), 401);
    expect(await other.requests()).toEqual([]);
  });

  test("is not asked about a token that is over anyway", async () => {
    refused(await verify(await issuer.token({ ...MAIN, exp: 1 })), 401);
    expect(await issuer.requests()).toEqual([]);
  });
});
