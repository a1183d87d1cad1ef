// The table CACHES: the named caches, and what the default one is besides its variables.
import { FOLDERS, PIN_FOLDER, STAGING_FOLDER } from "../bucket/kinds.ts";
import { type Retention, retentionOf } from "./retention.ts";
import { isSet, isTable, jsonOrValue, priority, words } from "./values.ts";

/**
 * When a NAR's content is verified: `before` its path is published, `after` that, or never by reading it (`off`). What
 * the bucket and the catalog know anyway is compared in any case.
 */
const VERIFY = ["before", "after", "off"] as const;
export type Verify = (typeof VERIFY)[number];
export const DEFAULT_VERIFY: Verify = "after";

export interface CacheEntry {
  /** `undefined` where the entry does not say. */
  readonly isPrivate: boolean | undefined;
  readonly isOpen: boolean;
  readonly verify: Verify;
  readonly listings: boolean;
  readonly priority: number;
  readonly signingKeys: readonly string[] | undefined;
  /** Not parsed yet; `undefined` where the entry does not say. */
  readonly trustedPublicKeys: unknown;
  readonly retention: Omit<Retention, "graceMs">;
}

/** Names that would shadow a route of the default cache, or a folder of the bucket. */
const RESERVED: ReadonlySet<string> = new Set([
  "api",
  "health",
  "nix-cache-info",
  ...[...FOLDERS, PIN_FOLDER, STAGING_FOLDER].map((folder) => folder.slice(0, -1)),
]);

const SETTINGS = [
  "visibility",
  "priority",
  "signing_keys",
  "trusted_public_keys",
  "open",
  "verify",
  "listings",
  "retention_days",
  "max_size_gb",
];

/** Whether a text has the form that the name of a cache must have. */
export function isCacheName(text: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,62}$/.test(text);
}

export function isReserved(name: string): boolean {
  return RESERVED.has(name);
}

/** What is wrong with a name; `undefined` for nothing. */
export function nameProblem(name: unknown): string | undefined {
  if (typeof name !== "string" || !isCacheName(name)) {
    return "must be lower-case letters, digits and '-', and 63 at most";
  }
  return isReserved(name) ? `would shadow /${name}; choose another name` : undefined;
}

export interface Caches {
  /** By name; one with a name that is refused is left out. */
  readonly entries: ReadonlyMap<string, CacheEntry>;
  /** Whether it is unclear which caches were meant, and which of them were meant to be private. */
  readonly isUnclear: boolean;
}

export function parseCaches(value: unknown, defaultPriority: number, problems: string[]): Caches {
  const entries = new Map<string, CacheEntry>();
  const table = jsonOrValue(value);
  if (!isSet(table)) return { entries, isUnclear: false };
  if (!isTable(table)) {
    problems.push('CACHES: must be a table, such as { team = { visibility = "private" } }');
    return { entries, isUnclear: true };
  }
  let isUnclear = false;
  for (const [name, entry] of Object.entries(table)) {
    const problem = nameProblem(name);
    if (problem === undefined) {
      entries.set(name, parseEntry(`CACHES.${name}`, entry, defaultPriority, problems));
    } else {
      isUnclear = true;
      problems.push(`CACHES: the name ${JSON.stringify(name.slice(0, 70))} ${problem}`);
    }
  }
  return { entries, isUnclear };
}

function parseEntry(label: string, value: unknown, defaultPriority: number, problems: string[]): CacheEntry {
  const entry = isTable(value) ? value : {};
  if (!isTable(value)) problems.push(`${label}: must be a table; the cache is private until this is fixed`);
  const unknown = Object.keys(entry).filter((key) => !SETTINGS.includes(key));
  for (const name of unknown) {
    problems.push(`${label}.${name.slice(0, 40)}: unknown setting; allowed: ${SETTINGS.join(", ")}`);
  }
  // An unknown setting may have been meant to hide the cache, such as a misspelt `visibility`.
  const mayBePrivate = !isTable(value) || unknown.length > 0;
  return {
    isPrivate: visibility(label, entry.visibility, problems) ?? (mayBePrivate ? true : undefined),
    isOpen: flag(`${label}.open`, entry.open, problems),
    verify: verify(label, entry.verify, problems),
    listings: flag(`${label}.listings`, entry.listings, problems),
    priority: priority(`${label}.priority`, entry.priority, defaultPriority, problems),
    signingKeys: isSet(entry.signing_keys)
      ? words(`${label}.signing_keys`, entry.signing_keys, problems)
      : undefined,
    trustedPublicKeys: isSet(entry.trusted_public_keys) ? entry.trusted_public_keys : undefined,
    retention: retentionOf(label, entry, problems),
  };
}

/** Private for an invalid value, which may have been meant so. */
function visibility(label: string, value: unknown, problems: string[]): boolean | undefined {
  if (value === undefined) return undefined;
  if (value === "public" || value === "private") return value === "private";
  problems.push(`${label}.visibility: must be "public" or "private"; it is private until this is fixed`);
  return true;
}

function flag(name: string, value: unknown, problems: string[]): boolean {
  if (value === undefined || typeof value === "boolean") return value === true;
  problems.push(`${name}: must be true or false`);
  return false;
}

/** A setting that is not understood may have been meant to publish nothing unverified. */
function verify(label: string, value: unknown, problems: string[]): Verify {
  if (value === undefined) return DEFAULT_VERIFY;
  const known = VERIFY.find((word) => word === value);
  if (known !== undefined) return known;
  problems.push(`${label}.verify: must be "before", "after" or "off"; it is "before" until this is fixed`);
  return "before";
}
