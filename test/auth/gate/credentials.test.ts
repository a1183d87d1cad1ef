/** The token of a request, in whatever header it comes. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { tokenOf } from "../../../src/auth/gate/credentials.ts";
import { basic } from "../../support/cache.ts";

function request(authorization: string | undefined): Request {
  const headers = authorization === undefined ? {} : { Authorization: authorization };
  return new Request("https://cache.example.org/", { headers });
}

describe("the token of a request", () => {
  test.each([
    ["Basic, a login", basic("nix", "secret"), "secret"],
    ["Basic, no login, as of a netrc without one", basic("", "secret"), "secret"],
    ["Basic, any login", basic("somebody@example.org", "secret"), "secret"],
    ["Basic, a password with colons", basic("nix", "a:b::c"), "a:b::c"],
    ["Basic, a password with white space", basic("nix", "a b"), "a b"],
    ["Basic, a password that is not ASCII", basic("nix", "geheim-ß"), "geheim-ß"],
    ["Basic, no password", basic("nix", ""), ""],
    ["basic, in lower case", basic("nix", "secret").replace("Basic", "basic"), "secret"],
    ["BASIC, in upper case", basic("nix", "secret").replace("Basic", "BASIC"), "secret"],
    ["Basic, without padding", basic("nix", "secret").replace(/=+$/, ""), "secret"],
    ["Bearer", "Bearer secret", "secret"],
    ["Bearer, no token", "Bearer", ""],
    ["Bearer, white space only", "Bearer  ", ""],
    ["bearer, in lower case", "bearer secret", "secret"],
    ["Bearer, more white space", "Bearer   secret", "secret"],
    ["Bearer, a token that looks like Basic's", "Bearer bml4OnNlY3JldA==", "bml4OnNlY3JldA=="],
    ["Bearer, a JWT", "Bearer eyJh.eyJz.c2ln-_", "eyJh.eyJz.c2ln-_"],
  ])("%s", (_, authorization, token) => {
    expect(tokenOf(request(authorization))).toBe(token);
  });

  test.each([
    ["no header", undefined],
    ["an empty header", ""],
    ["no scheme", "secret"],
    ["a scheme only", "Basic"],
    ["a scheme and white space", "Basic  "],
    ["another scheme", 'Digest username="nix"'],
    ["a scheme that begins like one", "Bearers secret"],
    ["Basic that is not base64", "Basic !!!!"],
    ["Basic that is not padded rightly", "Basic bml4OnNlY3JldA==="],
    ["Basic without a colon", `Basic ${btoa("secret")}`],
    ["Bearer with two words", "Bearer one two"],
    ["two credentials in one header", `${basic("nix", "secret")}, Bearer secret`],
  ])("none: %s", (_, authorization) => {
    expect(tokenOf(request(authorization))).toBeUndefined();
  });
});

test("any login and password arrive", () => {
  const text = fc.string({ unit: "binary" });
  fc.assert(
    fc.property(text, text, (login, password) => {
      const name = login.replaceAll(":", "");
      expect(tokenOf(request(basic(name, password)))).toBe(password);
    }),
  );
});

test("any header is a token or none", () => {
  const header = fc.oneof(
    fc.string({ unit: "grapheme-ascii" }),
    fc.tuple(fc.constantFrom("Basic", "Bearer", "basic"), fc.string()).map((parts) => parts.join(" ")),
    fc.base64String().map((text) => `Basic ${text}`),
  );
  fc.assert(
    fc.property(header, (text) => {
      expect(["string", "undefined"]).toContain(typeof tokenOf(request(text)));
    }),
    { numRuns: 1000 },
  );
});
