/** What may be asked for with POST /tokens and /tokens/exchange, and by whom. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Identity } from "../../../src/auth/grants.ts";
import { parseExchange } from "../../../src/auth/tokens/exchange.ts";
import { checkMinter, MAX_EXPIRES_IN, parseMintRequest } from "../../../src/auth/tokens/mint-request.ts";
import { mint, verifyMinted } from "../../../src/auth/tokens/minted.ts";
import { deriveTokenKeys } from "../../../src/config/token-secret.ts";
import { HttpError } from "../../../src/http/errors.ts";

const NOW = Date.UTC(2030, 0, 1);
const BODY = { name: "ci", permissions: ["push"], caches: ["nix-cache"], expires_in: 3600 };

/** The refusal's status and line. */
function refusal(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    expect(error.message).toMatch(/^[\x20-\x7e]{10,300}$/);
    return `${error.status} ${error.message}`;
  }
  return "none";
}

describe("the body of POST /tokens", () => {
  test("says what the token is to hold", () => {
    expect(parseMintRequest(JSON.stringify({ ...BODY, permissions: ["push", "push"] }))).toEqual({
      name: "ci",
      grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
      expiresIn: 3600,
    });
  });

  const mistakes: [string, Record<string, unknown>, RegExp][] = [
    ["no name", { name: undefined }, /^400 name: must begin/],
    ["an empty name", { name: "" }, /^400 name:/],
    ["a name with a line break", { name: "ci\nx" }, /^400 name:/],
    ["a name with white space", { name: "a b" }, /^400 name:/],
    ["a long name", { name: "x".repeat(129) }, /^400 name:/],
    ["a name that is a number", { name: 7 }, /^400 name:/],
    ["no permissions", { permissions: undefined }, /^400 permissions: must be a list of pull, push, admin/],
    ["an empty list of permissions", { permissions: [] }, /^400 permissions:/],
    ["an unknown permission", { permissions: ["push", "none"] }, /^400 permissions:/],
    ["permissions as a text", { permissions: "push" }, /^400 permissions:/],
    ["no caches", { caches: [] }, /^400 caches:/],
    ["a cache that cannot be", { caches: ["../x"] }, /^400 caches:/],
    ["many caches", { caches: Array.from({ length: 17 }, (_, n) => `c${n}`) }, /^400 caches: more than 16/],
    ["no end", { expires_in: undefined }, /^400 expires_in: must be a whole number of seconds from 60/],
    ["an end too near", { expires_in: 59 }, /^400 expires_in:/],
    ["an end too far", { expires_in: MAX_EXPIRES_IN + 1 }, /^400 expires_in:/],
    ["an end in parts of seconds", { expires_in: 60.5 }, /^400 expires_in:/],
    ["an end as a text", { expires_in: "3600" }, /^400 expires_in:/],
    ["an unknown field", { expiresIn: 60 }, /^400 "expiresIn": nobody knows this field/],
  ];
  test.each(mistakes)("a mistake: %s", (_, change, line) => {
    expect(refusal(() => parseMintRequest(JSON.stringify({ ...BODY, ...change })))).toMatch(line);
  });

  test.each(["", "x", "[]", "null", "7", '"x"'])("%j is no such body", (text) => {
    expect(refusal(() => parseMintRequest(text))).toMatch(
      /^400 the body (is not JSON|must be a JSON object)/,
    );
  });

  test("anything at all is a request or a refusal", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(refusal(() => parseMintRequest(text))).toMatch(/^(none|400 )/);
      }),
    );
  });

  test("the greatest token that can be asked for fits", async () => {
    const caches = Array.from({ length: 16 }, (_, n) => `${"x".repeat(61)}${n + 10}`);
    const content = parseMintRequest(
      JSON.stringify({
        name: "n".repeat(128),
        permissions: ["pull", "push", "admin"],
        caches,
        expires_in: 60,
      }),
    );
    const keys = await deriveTokenKeys(["s".repeat(32)]);
    const { token } = await mint(content, keys, NOW);
    expect(await verifyMinted(token, keys, NOW)).toMatchObject({ ok: true });
  });
});

describe("a minter", () => {
  const content = parseMintRequest(JSON.stringify(BODY));
  const minter = (change: Partial<Identity>): Identity => ({
    name: "token:boss",
    credential: "static",
    grants: [{ permissions: ["admin"], caches: ["*"] }],
    ...change,
  });

  test("who holds all of it may", () => {
    expect(refusal(() => checkMinter(content, minter({}), NOW))).toBe("none");
  });

  test("may not grant what it does not hold", () => {
    const grants = [{ permissions: ["admin" as const], caches: ["team-*"] }];
    expect(refusal(() => checkMinter(content, minter({ grants }), NOW))).toBe(
      "403 token:boss may not grant push on nix-cache: it does not hold that",
    );
  });

  test("that is a minted token is not outlived by what it mints", () => {
    const ending = (seconds: number) => minter({ credential: "minted", expiresAt: NOW + seconds * 1000 });
    expect(refusal(() => checkMinter(content, ending(3600), NOW))).toBe("none");
    expect(refusal(() => checkMinter(content, ending(3599), NOW))).toMatch(
      /^403 expires_in: .* 3599 seconds$/,
    );
  });
});

describe("POST /tokens/exchange", () => {
  const oidc: Identity = {
    name: "oidc:repo:acme/app:ref:refs/heads/main",
    credential: "oidc",
    grants: [{ permissions: ["push"], caches: ["nix-cache"] }],
    expiresAt: NOW + 300_000,
  };

  test("gives the same grants for an hour, or as long as asked", async () => {
    const content = parseExchange("", oidc);
    expect(content).toEqual({ name: oidc.name, grants: oidc.grants, expiresIn: 3600 });
    expect(parseExchange('{"expires_in": 7200}', oidc).expiresIn).toBe(7200);
    const keys = await deriveTokenKeys(["s".repeat(32)]);
    expect(await verifyMinted((await mint(content, keys, NOW)).token, keys, NOW)).toMatchObject({
      ok: true,
      identity: {
        name: "token:oidc:repo:acme/app:ref:refs/heads/main",
        credential: "minted",
        grants: oidc.grants,
      },
    });
  });

  test("a long subject's name is cut", () => {
    expect(parseExchange("", { ...oidc, name: `oidc:${"x".repeat(200)}` }).name).toHaveLength(128);
  });

  test.each(['{"expires_in": 21601}', '{"expires_in": 0}', '{"permissions": ["admin"]}', "[]", "x"])(
    "%s is refused",
    (text) => {
      expect(refusal(() => parseExchange(text, oidc))).toMatch(/^400 /);
    },
  );

  test.each(["static", "minted", "none"] as const)("not for a credential of the kind %s", (credential) => {
    expect(refusal(() => parseExchange("", { ...oidc, credential }))).toMatch(/^403 only the identity token/);
  });
});
