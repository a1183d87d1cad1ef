// Matches a token's claims with the rules, and explains why none matches.
import type { ClaimRule, OidcRule } from "../../config/oidc-rule.ts";
import type { Claims } from "../jwt.ts";
import { matches } from "../pattern.ts";

/** Characters of a claim's value in a message, so that a token cannot flood the log. */
const MAX_SHOWN = 100;
/** Characters. Longer values match no rule. */
const MAX_VALUE_LENGTH = 1024;

/** One line: how the claims fail one condition of a rule. */
type Lack = string;

/** The rules that the claims satisfy; `rules` are those of the token's issuer. */
export function matchingRules(claims: Claims, rules: readonly OidcRule[]): readonly OidcRule[] {
  return rules.filter((rule) => lacks(claims, rule).length === 0);
}

/** Why no rule matches: the first failed condition of the rule with the fewest failed ones. */
export function whyNone(claims: Claims, rules: readonly OidcRule[]): string {
  const [nearest] = rules
    .map((rule) => ({ rule, missing: lacks(claims, rule) }))
    .sort((a, b) => a.missing.length - b.missing.length);
  if (nearest === undefined) return "there are no rules";
  const others = nearest.missing.length > 1 ? ` (and ${nearest.missing.length - 1} more)` : "";
  return `rule ${nearest.rule.number} of OIDC comes nearest, but ${nearest.missing[0]}${others}`;
}

function lacks(claims: Claims, rule: OidcRule): readonly Lack[] {
  return [
    lackOfAudience(claims, rule.audiences),
    ...rule.claims.map((claim) => lackOfClaim(claims, claim)),
  ].filter((lack) => lack !== undefined);
}

/** RFC 7519, section 4.1.3: a text or a list of texts; one must be in the rule. */
function lackOfAudience({ aud }: Claims, audiences: readonly string[]): Lack | undefined {
  const values = valuesOf(aud);
  if (values.some((value) => audiences.includes(value))) return undefined;
  return `the audience is ${shownAll(values)} and must be ${audiences.map(shown).join(" or ")}`;
}

function lackOfClaim(claims: Claims, { name, patterns }: ClaimRule): Lack | undefined {
  // Inherited properties such as `constructor` are functions, which `valuesOf` ignores.
  const values = valuesOf(claims[name]);
  if (values.some((value) => patterns.some((pattern) => matches(pattern, value)))) return undefined;
  const wanted = `must be ${patterns.map(shown).join(" or ")}`;
  if (values.length === 0) return `the claim ${shown(name)} is not there and ${wanted}`;
  const stops = values.some((value) => patterns.some((pattern) => matches(running(pattern), value)));
  const hint = stops ? "; '*' stops at '/' and ':', '**' does not" : "";
  return `the claim ${shown(name)} is ${shownAll(values)} and ${wanted}${hint}`;
}

function running(pattern: string): string {
  return pattern.replace(/\*+/g, "**");
}

/** A claim's value as texts, or each value of a list such as groups. Objects and null have none. */
function valuesOf(value: unknown): readonly string[] {
  return (Array.isArray(value) ? value : [value])
    .filter((item) => ["string", "boolean", "number"].includes(typeof item))
    .map(String)
    .filter((text) => text.length <= MAX_VALUE_LENGTH);
}

function shownAll(values: readonly string[]): string {
  return values.length === 0 ? "not there" : shown(values.join(", "));
}

/** Quoted, on one line, at most {@link MAX_SHOWN} characters. */
export function shown(text: string): string {
  const line = text.replace(/[^\x20-\x7e]/g, "?").replaceAll('"', "'");
  return `"${line.length > MAX_SHOWN ? `${line.slice(0, MAX_SHOWN)}...` : line}"`;
}
