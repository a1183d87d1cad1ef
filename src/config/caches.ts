// The table CACHES: the named caches, and further settings of the default one.
import { FOLDERS, PIN_FOLDER, STAGING_FOLDER } from "../bucket/kinds.ts";
import { typingErrors } from "../text/typing-errors.ts";
import { meantBy } from "./resembles.ts";
import { type Retention, retentionOf } from "./retention.ts";
import { isSet, isTable, jsonOrValue, priority, words } from "./values.ts";

/**
 * When a NAR is read to verify its content: `before` its path is published, `after` that, or never (`off`). Recorded
 * hashes and sizes are always compared.
 */
const VERIFY = ["before", "after", "off"] as const;
export type Verify = (typeof VERIFY)[number];
export const DEFAULT_VERIFY: Verify = "after";

/**
 * For whom a public cache can be searched and listed: `members` have a credential that may do something in it. Such
 * requests cost more than reading a path does, so by default no anonymous client causes that cost.
 */
const LISTING = ["members", "public"] as const;
export type Listing = (typeof LISTING)[number];
export const DEFAULT_LISTING: Listing = "members";

/** The settings that are the default of every entry. */
export interface EntryDefaults {
  readonly priority: number;
  readonly listing: Listing;
}

export interface CacheEntry {
  /** `undefined` where the entry does not say. */
  readonly isPrivate: boolean | undefined;
  readonly isOpen: boolean;
  readonly verify: Verify;
  readonly listings: boolean;
  readonly listing: Listing;
  readonly priority: number;
  readonly signingKeys: readonly string[] | undefined;
  /** Not parsed yet; `undefined` if the entry does not have it. */
  readonly trustedPublicKeys: unknown;
  /** Not parsed yet; `undefined` if the entry does not have it. */
  readonly upstreams: unknown;
  readonly retention: Omit<Retention, "graceMs">;
}

/** Names that would shadow a route of the default cache, or a folder of the bucket. */
const RESERVED: ReadonlySet<string> = new Set([
  "api",
  "health",
  "metrics",
  "nix-cache-info",
  ...[...FOLDERS, PIN_FOLDER, STAGING_FOLDER].map((folder) => folder.slice(0, -1)),
]);

/** What reference.ts documents. */
export const SETTINGS = [
  "visibility",
  "priority",
  "signing_keys",
  "trusted_public_keys",
  "open",
  "verify",
  "listings",
  "listing",
  "upstreams",
  "retention_days",
  "max_size_gb",
] as const;

/** Whether a text has the form of a cache name. */
export function isCacheName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);
}

export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

/** The mistake in a name; `undefined` for a valid one. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || !isCacheName(name)) {
    return "must be lower-case letters, digits and '-', and 63 at most";
  }
  return isReserved(name) ? `would shadow /${name}; choose another name` : undefined;
}

export interface Caches {
  /** By name; an entry with an invalid name is left out. */
  readonly entries: ReadonlyMap<string, CacheEntry>;
  /** Whether the intended caches, and which of them are private, cannot be determined. */
  readonly isUnclear: boolean;
}

export function parseCaches(
  value: unknown,
  defaultName: string,
  defaults: EntryDefaults,
  problems: string[],
): Caches {
  const entries = new Map<string, CacheEntry>();
  const table = jsonOrValue(value);
  if (!isSet(table)) return { entries, isUnclear: false };
  if (!isTable(table)) {
    problems.push('CACHES: must be a table, such as { team = { visibility = "private" } }');
    return { entries, isUnclear: true };
  }
  let isUnclear = false;
  for (const [name, entry] of Object.entries(table)) {
    const problem = nameProblem(name) ?? misplaced(name, entry) ?? misspeltDefault(name, defaultName, table);
    if (problem === undefined) {
      entries.set(name, parseEntry(`CACHES.${name}`, entry, defaults, problems));
    } else {
      isUnclear = true;
      problems.push(`CACHES: the name ${JSON.stringify(name.slice(0, 70))} ${problem}`);
    }
  }
  return { entries, isUnclear };
}

/** A setting that stands beside the caches instead of in one. */
function misplaced(name: string, entry: unknown): string | undefined {
  const [setting] = isTable(entry) ? [] : meantBy(name, SETTINGS);
  return setting && `looks like the setting ${setting}, which belongs into a cache: { ${setting} = ... }`;
}

/** The default cache under a wrong name would be another cache, and itself without these settings. */
function misspeltDefault(
  name: string,
  defaultName: string,
  table: Readonly<Record<string, unknown>>,
): string | undefined {
  if (name === defaultName || Object.hasOwn(table, defaultName)) return undefined;
  return name === "default" || isTypingError(name, defaultName)
    ? `looks like the default cache, which is called ${defaultName}`
    : undefined;
}

/** `team-b` is another cache than `team-a`, and `team2` than `team`. */
function isTypingError(name: string, other: string): boolean {
  const letters = (text: string) => text.replace(/[^a-z]/g, "");
  const digits = (text: string) => text.replace(/[^0-9]/g, "");
  const isOneWrong = letters(name).length === letters(other).length && !isReordered(name, other);
  return digits(name) === digits(other) && !isOneWrong && typingErrors(letters(name), letters(other)) <= 1;
}

function isReordered(a: string, b: string): boolean {
  const sorted = (text: string) => text.replace(/-/g, "").split("").sort().join("");
  return sorted(a) === sorted(b);
}

function parseEntry(label: string, value: unknown, defaults: EntryDefaults, problems: string[]): CacheEntry {
  const entry = isTable(value) ? value : {};
  if (!isTable(value)) problems.push(`${label}: must be a table; the cache is private until this is fixed`);
  const unknown = Object.keys(entry).filter((key) => !SETTINGS.some((name) => name === key));
  for (const name of unknown) {
    const [likely] = meantBy(name, SETTINGS);
    const hint = likely === undefined ? "" : `; ${likely} is probably meant`;
    problems.push(`${label}.${name.slice(0, 40)}: unknown setting; allowed: ${SETTINGS.join(", ")}${hint}`);
  }
  // An unknown setting may be a misspelt `visibility = "private"`.
  const mayBePrivate = !isTable(value) || unknown.length > 0;
  return {
    isPrivate: visibility(label, entry.visibility, problems) ?? (mayBePrivate ? true : undefined),
    isOpen: flag(`${label}.open`, entry.open, problems),
    verify: verify(label, entry.verify, problems),
    listings: flag(`${label}.listings`, entry.listings, problems),
    listing: listing(`${label}.listing`, entry.listing, defaults.listing, problems),
    priority: priority(`${label}.priority`, entry.priority, defaults.priority, problems),
    signingKeys: isSet(entry.signing_keys)
      ? words(`${label}.signing_keys`, entry.signing_keys, problems)
      : undefined,
    trustedPublicKeys: isSet(entry.trusted_public_keys) ? entry.trusted_public_keys : undefined,
    upstreams: isSet(entry.upstreams) ? entry.upstreams : undefined,
    retention: retentionOf(label, entry, problems),
  };
}

/** Private for an invalid value, which may have been meant to be "private". */
function visibility(label: string, value: unknown, problems: string[]): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "public" || value === "private") return value === "private";
  problems.push(`${label}.visibility: must be "public" or "private"; it is private until this is fixed`);
  return true;
}

/** For members only where the value is invalid, which may have been meant to be "members". */
export function listing(name: string, value: unknown, absent: Listing, problems: string[]): Listing {
  if (!isSet(value)) return absent;
  const known = LISTING.find((word) => word === value);
  if (known !== undefined) return known;
  problems.push(`${name}: must be "members" or "public"; it is "members" until this is fixed`);
  return "members";
}

function flag(name: string, value: unknown, problems: string[]): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  problems.push(`${name}: must be true or false`);
  return false;
}

/** An invalid value may have been meant to be "before". */
function verify(label: string, value: unknown, problems: string[]): Verify {
  if (value === undefined) return DEFAULT_VERIFY;
  const known = VERIFY.find((word) => word === value);
  if (known !== undefined) return known;
  problems.push(`${label}.verify: must be "before", "after" or "off"; it is "before" until this is fixed`);
  return "before";
}
