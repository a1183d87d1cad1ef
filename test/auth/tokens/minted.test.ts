/** Minted tokens: made, checked, expired, forged, cut, and under changed secrets. */
import fc from "fast-check";
import { base64url, decodeJwt, SignJWT } from "jose";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Grant } from "../../../src/auth/grants.ts";
import { looksLikeJwt } from "../../../src/auth/oidc/verify.ts";
import { isMinted, mint, TOKEN_PREFIX, verifyMinted } from "../../../src/auth/tokens/minted.ts";
import { deriveTokenKeys, parseTokenSecret } from "../../../src/config/token-secret.ts";

const NOW = Date.UTC(2030, 0, 1);
const [OLD, NEW] = ["o".repeat(32), "n".repeat(32)];
const GRANTS: Grant[] = [{ permissions: ["push"], caches: ["nix-cache", "team-*"] }];
const CONTENT = { name: "ci", grants: GRANTS, expiresIn: 3600 };

let oldKeys: CryptoKey[];
let newKeys: CryptoKey[];
let bothKeys: CryptoKey[];
beforeAll(async () => {
  oldKeys = await deriveTokenKeys([OLD]);
  newKeys = await deriveTokenKeys([NEW]);
  bothKeys = await deriveTokenKeys([NEW, OLD]);
});

test("a token grants what it was minted for, until it expires", async () => {
  const { id, token, createdAt, expiresAt } = await mint(CONTENT, oldKeys, NOW + 999);
  expect([createdAt, expiresAt]).toEqual([NOW, NOW + 3600_000]);
  const good = {
    ok: true,
    id,
    identity: { name: "token:ci", credential: "minted", grants: GRANTS, expiresAt, tokenId: id },
  };
  expect(await verifyMinted(token, oldKeys, NOW)).toEqual(good);
  expect(await verifyMinted(token, oldKeys, expiresAt - 1)).toEqual(good);
  expect(await verifyMinted(token, oldKeys, expiresAt)).toEqual({
    ok: false,
    reason: "expired",
    message: "the token ci expired at 2030-01-01T01:00:00.000Z; get a new one",
  });
});

test("a token that was minted long ago, by another version, is still good", async () => {
  const token =
    "nixcache_eyJhbGciOiJIUzI1NiIsInR5cCI6Im5peC1jYWNoZStqd3QifQ.eyJncmFudHMiOlt7InBlcm1pc3Npb25zIjpbInB1c2giXSwiY2FjaGVzIjpbIioiXX1dLCJqdGkiOiItSENaMUZlS0NqczVNTG9pSV94NWp3Iiwic3ViIjoiY2kiLCJpYXQiOjE4OTM0NTYwMDAsImV4cCI6MTg5MzQ1OTYwMH0.lqgDAnUBmphC1rxLI4yZP3AOoScdECXs52xYkUHJs0A";
  const keys = await deriveTokenKeys(["0123456789abcdef0123456789abcdef"]);
  expect(await verifyMinted(token, keys, NOW)).toMatchObject({
    ok: true,
    id: "-HCZ1FeKCjs5MLoiI_x5jw",
    identity: { name: "token:ci", grants: [{ permissions: ["push"], caches: ["*"] }] },
  });
});

test("a token can be found by its look, fits a netrc and a header, and holds no secret", async () => {
  const { id, token } = await mint(CONTENT, oldKeys, NOW);
  expect(token).toMatch(/^nixcache_eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{43}$/);
  expect(isMinted(token)).toBe(true);
  // It must not be taken for an identity token, nor the other way round.
  expect(looksLikeJwt(token)).toBe(false);
  expect(decodeJwt(token.slice(TOKEN_PREFIX.length))).toEqual({
    grants: GRANTS,
    jti: id,
    sub: "ci",
    iat: NOW / 1000,
    exp: NOW / 1000 + 3600,
  });
});

test("no two tokens have the same id", async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, () => mint(CONTENT, oldKeys, NOW)));
  expect(new Set(tokens.map(({ id }) => id)).size).toBe(50);
});

test("no id begins with a dash, which command lines take for a flag", async () => {
  for (const first of [0xf8, 0xff]) {
    const random = vi.spyOn(crypto, "getRandomValues").mockImplementation((bytes) => {
      new Uint8Array((bytes as Uint8Array).buffer).fill(first);
      return bytes;
    });
    const { id } = await mint(CONTENT, oldKeys, NOW);
    random.mockRestore();
    expect(id).toMatch(/^[^-].{21}$/);
  }
});

test("so many grants that no netrc could hold the token are refused", async () => {
  const many = Array.from({ length: 100 }, (_, n) => `${"x".repeat(50)}${n}`);
  const content = { ...CONTENT, grants: [{ permissions: ["pull" as const], caches: many }] };
  await expect(mint(content, oldKeys, NOW)).rejects.toMatchObject({ status: 400 });
});

describe("with several secrets", () => {
  test("the first signs and all verify", async () => {
    const { token: older } = await mint(CONTENT, oldKeys, NOW);
    const { token: newer } = await mint(CONTENT, bothKeys, NOW);
    expect(await verifyMinted(older, bothKeys, NOW)).toMatchObject({ ok: true });
    expect(await verifyMinted(newer, bothKeys, NOW)).toMatchObject({ ok: true });
    expect(await verifyMinted(newer, newKeys, NOW)).toMatchObject({ ok: true });
    for (const [token, keys] of [
      [older, newKeys],
      [newer, oldKeys],
      [older, []],
    ] as const) {
      expect(await verifyMinted(token, keys, NOW)).toMatchObject({ ok: false, reason: "foreign" });
    }
  });

  test("an expired token of the second is expired and not foreign", async () => {
    const { token } = await mint(CONTENT, oldKeys, NOW);
    expect(await verifyMinted(token, bothKeys, NOW + 1e10)).toMatchObject({ ok: false, reason: "expired" });
  });
});

describe("a forged token is refused", () => {
  const payload = () => ({ grants: GRANTS, jti: "A".repeat(22), sub: "ci", iat: NOW / 1000, exp: 2 ** 40 });
  const sign = async (claims: Record<string, unknown>, header = {}, key = oldKeys[0]) => {
    if (key === undefined) throw new Error("no key");
    const protectedHeader = { alg: "HS256", typ: "nix-cache+jwt", ...header };
    return `${TOKEN_PREFIX}${await new SignJWT(claims).setProtectedHeader(protectedHeader).sign(key)}`;
  };

  test("(what is right else is taken)", async () => {
    expect(await verifyMinted(await sign(payload()), oldKeys, NOW)).toMatchObject({ ok: true });
  });

  test("without a signature", async () => {
    const encode = (value: unknown) => base64url.encode(JSON.stringify(value));
    for (const alg of ["none", "HS256"]) {
      const token = `${TOKEN_PREFIX}${encode({ alg, typ: "nix-cache+jwt" })}.${encode(payload())}.`;
      expect(await verifyMinted(token, oldKeys, NOW)).toMatchObject({ ok: false });
    }
  });

  test("signed with the secret itself and not with the key that is derived from it", async () => {
    const raw = new TextEncoder().encode(OLD);
    const key = await crypto.subtle.importKey("raw", raw, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
    expect(await verifyMinted(await sign(payload(), {}, key), oldKeys, NOW)).toMatchObject({
      reason: "foreign",
    });
  });

  const claims: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ["of another type", {}, { typ: "JWT" }],
    ["of no type", {}, { typ: undefined }],
    ["without an end", { exp: undefined }, {}],
    ["without an id", { jti: undefined }, {}],
    ["with an id of another form", { jti: "A".repeat(21) }, {}],
    ["without a name", { sub: undefined }, {}],
    ["with a name that breaks the line", { sub: "a\nb" }, {}],
    ["without grants", { grants: undefined }, {}],
    ["with grants that are a text", { grants: "admin" }, {}],
    ["with an unknown permission", { grants: [{ permissions: ["root"], caches: ["*"] }] }, {}],
    ["with a cache that cannot be", { grants: [{ permissions: ["pull"], caches: ["../x"] }] }, {}],
  ];
  test.each(claims)("%s", async (_, change, header) => {
    const token = await sign({ ...payload(), ...change }, header);
    expect(await verifyMinted(token, oldKeys, NOW)).toMatchObject({ ok: false, reason: "malformed" });
  });

  test("changed in any character", async () => {
    const { token } = await mint(CONTENT, oldKeys, NOW);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom("A", "b", "_", ".", " ", "é"),
        async (at, letter) => {
          const changed = token.slice(0, at) + letter + token.slice(at + 1);
          // The last character has bits that no byte takes up.
          fc.pre(changed !== token && at !== token.length - 1);
          const result = await verifyMinted(changed, oldKeys, NOW);
          expect(result.ok).toBe(false);
          expect(!result.ok && result.message).not.toContain(token.slice(-20));
        },
      ),
      { numRuns: 300 },
    );
  });

  test("cut anywhere, or any text at all, and the check never throws", async () => {
    const { token } = await mint(CONTENT, oldKeys, NOW);
    const cut = fc.nat(token.length - 1).map((length) => token.slice(0, length));
    const any = fc.oneof(
      cut,
      fc.string(),
      fc.string({ maxLength: 9000 }).map((text) => TOKEN_PREFIX + text),
    );
    await fc.assert(
      fc.asyncProperty(any, async (text) => {
        expect(await verifyMinted(text, bothKeys, NOW)).toMatchObject({ ok: false });
      }),
      { numRuns: 300 },
    );
  });
});

describe("TOKEN_SECRET", () => {
  const parse = (value: unknown) => {
    const problems: string[] = [];
    return { secrets: parseTokenSecret(value, problems), problems };
  };

  test.each([
    ["unset", undefined, []],
    ["empty", "", []],
    ["one", OLD, [OLD]],
    ["one, with a newline", `${OLD}\n`, [OLD]],
    ["two", `${NEW} \n ${OLD}`, [NEW, OLD]],
  ])("%s", (_, value, secrets) => {
    expect(parse(value)).toEqual({ secrets, problems: [] });
  });

  test.each([
    ["blank", "  ", /^TOKEN_SECRET: must be a text/],
    ["no text", 7, /^TOKEN_SECRET: must be a text/],
    ["short", "x".repeat(31), /^TOKEN_SECRET: secret 1 is shorter/],
    ["the second short", `${NEW} hunter2`, /^TOKEN_SECRET: secret 2 is shorter/],
  ])("a mistake: %s: no token is valid", (_, value, message) => {
    const { secrets, problems } = parse(value);
    expect(secrets).toEqual([]);
    expect(problems).toEqual([expect.stringMatching(message)]);
    expect(problems[0]).not.toContain("hunter2");
  });
});
