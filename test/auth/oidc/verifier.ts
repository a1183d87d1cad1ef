/** Checking tokens of an issuer that each test has for itself, over real HTTP. */
import { afterEach, beforeEach, expect, inject, type MockInstance, vi } from "vitest";
import { createKeySource } from "../../../src/auth/oidc/jwks.ts";
import { type OidcResult, verifyOidc } from "../../../src/auth/oidc/verify.ts";
import { parseOidc } from "../../../src/config/oidc.ts";
import type { OidcRule } from "../../../src/config/oidc-rule.ts";
import { createIssuer, type TestIssuer } from "../../support/oidc-issuer.ts";

export const AUDIENCE = "https://cache.example.org";
/** What GitHub says of a push to the main branch. */
export const MAIN = {
  aud: AUDIENCE,
  sub: "repo:acme/app:ref:refs/heads/main",
  repository: "acme/app",
  repository_owner: "acme",
  event_name: "push",
};

/** What `console.warn` is called with in the test that runs. */
export let warnings: MockInstance<typeof console.warn>;
/** The issuer of the test that runs. */
export let issuer: TestIssuer;

/** To be called once in a file: gives each test an issuer, and watches the log. */
export function setUpIssuer(): void {
  beforeEach(async () => {
    warnings = vi.spyOn(console, "warn").mockImplementation(() => {});
    issuer = await createIssuer(inject("oidcServer"));
  });
  afterEach(() => {
    const { calls } = warnings.mock;
    warnings.mockRestore();
    // The log never contains a usable part of a token.
    expect(JSON.stringify(calls)).not.toMatch(/eyJ/);
  });
}

export function rulesOf(...rules: Record<string, unknown>[]): readonly OidcRule[] {
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

export function verify(token: string, rules = rulesOf({}), now = Date.now()): Promise<OidcResult> {
  return verifyOidc(token, rules, createKeySource(), now);
}

/** Checks a refusal, that the log has it, and gives its line. */
export function refused(result: OidcResult, status: 401 | 503): string {
  if (result.ok) throw new Error("it was let in");
  expect(result.status).toBe(status);
  expect(result.message).toMatch(/^[\x20-\x7e]{10,900}$/);
  expect(warnings).toHaveBeenCalledWith(expect.stringContaining(result.message));
  return result.message;
}
