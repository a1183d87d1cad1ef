// The environment of the Worker, parsed once into a typed configuration. A mistake becomes a line that names its
// variable, shown on /health and in the log; reads go on, writes are refused until it is mended.
import type { Catalog } from "./catalog/catalog.ts";
import { FormatError } from "./nix/format-error.ts";
import { type PublicKey, parsePublicKey, parseSecretKey, type SecretKey } from "./nix/keys.ts";
import { type Retention, retentionOf } from "./retention.ts";

/** The Worker's bindings and variables, as wrangler delivers them. A TOML table or list arrives as a value. */
export interface Env {
  BUCKET: R2Bucket;
  CATALOG: DurableObjectNamespace<Catalog>;
  ADMIN_TOKEN?: string;
  PUSH_TOKEN?: string;
  PULL_TOKEN?: string;
  SIGNING_KEY?: string;
  TRUSTED_PUBLIC_KEYS?: string | string[];
  PRIORITY?: string | number;
  STORE_DIR?: string;
  CACHE_NAME?: string;
  CACHES?: string | Record<string, unknown>;
  GC_GRACE_SECONDS?: string | number;
}

export interface Config extends Retention {
  readonly cacheName: string;
  readonly storeDir: string;
  readonly priority: number;
  /** Who may do everything. */
  readonly adminToken: string | undefined;
  /** Who may write. */
  readonly pushToken: string | undefined;
  /** Who else may read a private cache. */
  readonly pullToken: string | undefined;
  /** Whether reading needs a credential. */
  readonly isPrivate: boolean;
  /** A path may be published before its references are there. */
  readonly isOpen: boolean;
  /** The keys, imported on first use: reading needs none of them. Never rejects. */
  readonly keys: () => Promise<Keys>;
  /** One line for each mistake that shows without importing the keys. */
  readonly problems: readonly string[];
}

export interface Keys {
  readonly signing: readonly SecretKey[];
  readonly trusted: readonly PublicKey[];
  readonly problems: readonly string[];
}

const DEFAULT_PRIORITY = 41;
const DEFAULT_STORE_DIR = "/nix/store";
const DEFAULT_CACHE_NAME = "nix-cache";

const parsed = new WeakMap<Env, Config>();

/** The configuration of an environment. Parsed once for each; its problems are logged then. */
export function configOf(env: Env): Config {
  let config = parsed.get(env);
  if (config === undefined) {
    config = parseConfig(env);
    parsed.set(env, config);
    for (const problem of config.problems) console.error(`configuration: ${problem}`);
  }
  return config;
}

/** All mistakes of a configuration, those of its keys included. */
export async function allProblems(config: Config): Promise<string[]> {
  return [...config.problems, ...(await config.keys()).problems];
}

export function parseConfig(env: Env): Config {
  const problems: string[] = [];
  if (!isSet(env.BUCKET)) problems.push("BUCKET: no R2 bucket is bound; see [[r2_buckets]] in wrangler.toml");
  const pushToken = token("PUSH_TOKEN", env.PUSH_TOKEN, problems);
  const pullToken = token("PULL_TOKEN", env.PULL_TOKEN, problems);
  const adminToken = token("ADMIN_TOKEN", env.ADMIN_TOKEN, problems);
  if (adminToken !== undefined && adminToken === pushToken) {
    problems.push(
      "ADMIN_TOKEN: is the same as PUSH_TOKEN, so that every pusher could delete; choose another",
    );
  }
  if (pullToken !== undefined && (pullToken === pushToken || pullToken === adminToken)) {
    problems.push(
      "PULL_TOKEN: is the same as PUSH_TOKEN or ADMIN_TOKEN, so that every reader could write; choose another",
    );
  }
  const name = cacheName(env.CACHE_NAME, problems);
  let keys: Promise<Keys> | undefined;
  return {
    cacheName: name,
    adminToken,
    isOpen: isOpen(env.CACHES, name, problems),
    ...retentionOf(ownTable(env.CACHES, name), name, env.GC_GRACE_SECONDS, problems),
    storeDir: storeDir(env.STORE_DIR, problems),
    priority: priority(env.PRIORITY, problems),
    pushToken,
    pullToken,
    // A PULL_TOKEN that is set but unusable still means that its operator wanted a private cache.
    isPrivate: isSet(env.PULL_TOKEN),
    keys: () => {
      keys ??= importKeys(env);
      return keys;
    },
    problems,
  };
}

function isSet(value: unknown): boolean {
  return value !== undefined && value !== null && value !== "";
}

/** Surrounding white space is cut: `echo TOKEN | wrangler secret put` adds a newline. */
function token(name: string, value: unknown, problems: string[]): string | undefined {
  if (!isSet(value)) return undefined;
  // White space inside would end the token in an Authorization header and in a netrc file.
  if (typeof value === "string" && /^\S+$/.test(value.trim())) return value.trim();
  problems.push(
    `${name}: must be a text that is not blank and has no white space; set it with 'npx wrangler secret put ${name}'`,
  );
  return undefined;
}

function priority(value: unknown, problems: string[]): number {
  if (!isSet(value)) return DEFAULT_PRIORITY;
  const number = typeof value === "string" && /^\d+$/.test(value.trim()) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0x7fffffff)
    return number;
  problems.push(`PRIORITY: must be a whole number from 0 (asked first) up; using ${DEFAULT_PRIORITY}`);
  return DEFAULT_PRIORITY;
}

function storeDir(value: unknown, problems: string[]): string {
  if (!isSet(value)) return DEFAULT_STORE_DIR;
  if (typeof value === "string" && /^(\/[0-9A-Za-z+\-._?=]+)+$/.test(value)) return value;
  problems.push(`STORE_DIR: must be an absolute path without a final slash; using ${DEFAULT_STORE_DIR}`);
  return DEFAULT_STORE_DIR;
}

function cacheName(value: unknown, problems: string[]): string {
  if (!isSet(value)) return DEFAULT_CACHE_NAME;
  if (typeof value === "string" && /^[a-z0-9][a-z0-9-]{0,62}$/.test(value)) return value;
  problems.push(`CACHE_NAME: must be lower-case letters, digits and '-'; using ${DEFAULT_CACHE_NAME}`);
  return DEFAULT_CACHE_NAME;
}

/** Settings of the default cache's `CACHES` entry. Those of {@link retentionOf} have checks of their own. */
const SETTINGS = ["open", "retention_days", "max_size_gb"];

function ownTable(value: unknown, cacheName: string): Record<string, unknown> {
  const table = jsonOrValue(value);
  const own = isTable(table) ? table[cacheName] : undefined;
  return isTable(own) ? own : {};
}

/** Of the table of caches only the default one's is known so far. */
function isOpen(value: unknown, cacheName: string, problems: string[]): boolean {
  const table = jsonOrValue(value);
  if (!isSet(table)) return false;
  if (!isTable(table)) {
    problems.push("CACHES: must be a table, such as { nix-cache = { open = true } }");
    return false;
  }
  const unknown = Object.keys(table).filter((name) => name !== cacheName);
  if (unknown.length > 0)
    problems.push(`CACHES: ${unknown.join(", ")}: only the default cache "${cacheName}" is supported`);
  const own = table[cacheName] ?? {};
  if (
    !isTable(own) ||
    Object.keys(own).some((key) => !SETTINGS.includes(key)) ||
    ![undefined, true, false].includes(own.open as boolean)
  ) {
    problems.push(
      `CACHES: ${cacheName} must be a table with nothing but open = true or false, retention_days and max_size_gb`,
    );
    return false;
  }
  return own.open === true;
}

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A table or list in `wrangler.toml` arrives as a value; in a variable or secret it is JSON text. */
function jsonOrValue(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    // Not JSON: the caller says which form it must have; the value may be secret and is not repeated.
    return value;
  }
}

async function importKeys(env: Env): Promise<Keys> {
  const problems: string[] = [];
  const signing = await eachKey("SIGNING_KEY", env.SIGNING_KEY, parseSecretKey, problems);
  const trusted = await eachKey("TRUSTED_PUBLIC_KEYS", env.TRUSTED_PUBLIC_KEYS, parsePublicKey, problems);
  for (const problem of problems) console.error(`configuration: ${problem}`);
  return { signing, trusted, problems };
}

async function eachKey<K>(
  name: string,
  value: unknown,
  parse: (text: string) => Promise<K>,
  problems: string[],
): Promise<K[]> {
  const keys: K[] = [];
  for (const [index, text] of words(name, value, problems).entries()) {
    try {
      keys.push(await parse(text));
    } catch (error) {
      // Only a FormatError has a message that is safe to show: it never contains the key.
      const reason = error instanceof FormatError ? error.message : "cannot be imported";
      problems.push(`${name}: key ${index + 1}: ${reason}`);
    }
  }
  return keys;
}

/** Words of a text, or a list of texts (TOML, or JSON text). */
function words(name: string, value: unknown, problems: string[]): string[] {
  if (!isSet(value)) return [];
  const list = typeof value === "string" && value.trim().startsWith("[") ? jsonOrValue(value) : value;
  if (typeof list === "string" && list.trim().startsWith("[")) {
    problems.push(`${name}: begins like a JSON list but is none`);
    return [];
  }
  const texts: unknown[] = Array.isArray(list) ? list : [list];
  if (!texts.every((text) => typeof text === "string")) {
    problems.push(`${name}: must be keys separated by white space, or a list of them`);
    return [];
  }
  return texts.flatMap((text) => text.split(/\s+/)).filter((text) => text !== "");
}
