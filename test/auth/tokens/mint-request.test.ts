/** The rights of minters, and the exchange of identity tokens. */
import { describe, expect, test } from "vitest";
import type { Identity } from "../../../src/auth/grants.ts";
import { exchangeContent } from "../../../src/auth/tokens/exchange.ts";
import { checkMinter } from "../../../src/auth/tokens/mint-request.ts";
import { mint, verifyMinted } from "../../../src/auth/tokens/minted.ts";
import { deriveTokenKeys } from "../../../src/config/token-secret.ts";
import { HttpError } from "../../../src/http/errors.ts";

const NOW = Date.UTC(2030, 0, 1);

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

describe("a minter", () => {
  const content = {
    name: "ci",
    grants: [{ permissions: ["push" as const], caches: ["nix-cache"] }],
    expiresIn: 3600,
  };
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
    subject: { key: "repo:acme/app:ref:refs/heads/main", issuer: "https://a.example", issuedAt: NOW },
  };

  test("gives the same grants for as long as asked", async () => {
    const content = exchangeContent(oidc, 3600);
    expect(content).toEqual({
      name: oidc.name,
      grants: oidc.grants,
      expiresIn: 3600,
      issuer: "https://a.example",
      subject: oidc.subject,
    });
    const keys = await deriveTokenKeys(["s".repeat(32)]);
    expect(await verifyMinted((await mint(content, keys, NOW + 789)).token, keys, NOW)).toMatchObject({
      ok: true,
      identity: {
        name: "token:oidc:repo:acme/app:ref:refs/heads/main",
        credential: "minted",
        grants: oidc.grants,
        // To the millisecond: a revocation may come a moment later.
        subject: { ...oidc.subject, issuedAt: NOW + 789 },
      },
    });
  });

  test("a long subject's name is cut", () => {
    expect(exchangeContent({ ...oidc, name: `oidc:${"x".repeat(200)}` }, 60).name).toHaveLength(128);
  });

  test.each(["static", "minted", "none"] as const)("not for a credential of the kind %s", (credential) => {
    expect(refusal(() => exchangeContent({ ...oidc, credential }, 60))).toMatch(
      /^403 only the identity token/,
    );
  });
});
