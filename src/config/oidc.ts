// Parses OIDC, the rules by which identity tokens of other issuers are accepted.
import { isCachePattern, isPermission, PERMISSIONS, type Permission } from "../auth/grants.ts";
import { quote } from "../nix/format-error.ts";
import { tooBroad } from "./oidc-breadth.ts";
import type { ClaimRule, OidcRule } from "./oidc-rule.ts";
import { meantBy } from "./resembles.ts";

/** What reference.ts documents. */
export const FIELDS = ["issuer", "audience", "claims", "permissions", "caches", "everybody"] as const;

/** Claims that are checked for every token, or have a field of their own. */
const NOT_FOR_RULES: readonly string[] = ["iss", "aud", "exp", "nbf", "iat", "jti"];

const MAX_PATTERN_LENGTH = 512;

/** Thrown within this file only. The message is `field: what is wrong`. */
class Mistake extends Error {}

/**
 * Parses a list of tables, as a value or as JSON text. A rule with a mistake is left out, which only narrows access,
 * and becomes a line of `problems`. Never throws.
 */
export function parseOidc(value: unknown, problems: string[]): readonly OidcRule[] {
  if (value === undefined || value === null || value === "") return [];
  const list = typeof value === "string" ? parseJson(value) : value;
  if (!Array.isArray(list)) {
    problems.push('OIDC: must be a list of rules, such as [{ issuer = "https://...", audience = "..." }]');
    return [];
  }
  const rules: OidcRule[] = [];
  for (const [index, rule] of list.entries()) {
    try {
      rules.push(parseRule(rule, index + 1));
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      problems.push(`OIDC: rule ${index + 1}: ${error.message}`);
    }
  }
  return rules;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The caller reports the mistake.
    return undefined;
  }
}

function parseRule(rule: unknown, number: number): OidcRule {
  if (!isTable(rule)) throw new Mistake("must be a table");
  const unknown = Object.keys(rule).find((key) => !FIELDS.some((name) => name === key));
  // A misspelt `claims` must not become a rule without claims.
  if (unknown !== undefined) {
    const [likely] = meantBy(unknown, FIELDS);
    const hint = likely === undefined ? "" : `; ${likely} is probably meant`;
    throw new Mistake(`${quote(unknown)}: unknown field; allowed: ${FIELDS.join(", ")}${hint}`);
  }
  const { everybody = false } = rule;
  if (typeof everybody !== "boolean") throw new Mistake("everybody: must be true or false");
  const issuer = parseIssuer(rule.issuer);
  const claims = parseClaims(rule.claims);
  const broad = everybody ? undefined : tooBroad(issuer, claims);
  if (broad !== undefined) {
    throw new Mistake(`claims: ${broad}; everybody = true allows this`);
  }
  return {
    number,
    issuer,
    audiences: parseAudience(rule.audience),
    claims,
    grant: {
      permissions: listOf<Permission>(
        rule.permissions,
        isPermission,
        `permissions: must list ${PERMISSIONS.join(", ")}`,
      ),
      caches: listOf(
        rule.caches,
        (cache) => typeof cache === "string" && isCachePattern(cache),
        'caches: must list names of caches, or patterns such as "team-*"; "*" is all of them',
      ),
    },
  };
}

/** OpenID Connect Core 1.0, section 2, `iss`: an https URL without query and fragment. */
function parseIssuer(value: unknown): string {
  const url = typeof value === "string" ? URL.parse(value) : null;
  if (typeof value !== "string" || url === null) {
    throw new Mistake('issuer: must be a URL, such as "https://token.actions.githubusercontent.com"');
  }
  // The keys are fetched from it: over http an attacker in the network could replace them.
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isThisMachine(url.hostname))) {
    throw new Mistake("issuer: must begin with https:// (http:// is for localhost only)");
  }
  if (/[?#\s]/.test(value) || url.username !== "" || url.password !== "") {
    throw new Mistake("issuer: must have no query, no fragment, no user and no white space");
  }
  return value;
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "127.0.0.1";
}

/** No patterns: a client asks for tokens of one exact audience. */
function parseAudience(value: unknown): readonly string[] {
  return listOf(
    typeof value === "string" ? [value] : value,
    (audience) => typeof audience === "string" && audience !== "" && !audience.includes("*"),
    "audience: must be a text or a list of texts, without *, such as the cache's own URL",
  );
}

function parseClaims(value: unknown = {}): readonly ClaimRule[] {
  if (!isTable(value)) throw new Mistake('claims: must be a table, such as { repository = "acme/app" }');
  return Object.entries(value).map(([name, pattern]) => {
    if (NOT_FOR_RULES.includes(name)) {
      throw new Mistake(
        `claims.${name}: is checked with every token${name === "aud" ? ": use audience" : ""}`,
      );
    }
    const patterns = listOf(
      Array.isArray(pattern) ? pattern : [pattern],
      (item) => ["string", "boolean"].includes(typeof item) || Number.isSafeInteger(item),
      `claims: ${quote(name)} must be a text or a list of texts, exact or with *`,
    ).map(String);
    if (patterns.some((text) => text === "" || text.length > MAX_PATTERN_LENGTH)) {
      throw new Mistake(`claims: ${quote(name)} must have from 1 to ${MAX_PATTERN_LENGTH} characters`);
    }
    return { name, patterns };
  });
}

function listOf<T>(value: unknown, is: (item: T) => boolean, message: string): readonly T[] {
  if (Array.isArray(value) && value.length > 0 && value.every(is)) return [...new Set<T>(value)];
  throw new Mistake(message);
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
