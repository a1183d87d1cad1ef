// Parses the Worker's variables, once, into a typed configuration. A mistake becomes a line that names its variable, on
// /health and in the log; reads go on, writes are refused until it is fixed.
import type { Env } from "../env.ts";
import {
  type CacheEntry,
  DEFAULT_LISTING,
  DEFAULT_VERIFY,
  type EntryDefaults,
  type Listing,
  listing,
  nameProblem,
  parseCaches,
  SETTINGS,
  type Verify,
} from "./caches.ts";
import { importKeys, importSigningKeys, type KeyImports, type Keys } from "./keys.ts";
import { parseOidc } from "./oidc.ts";
import type { OidcRule } from "./oidc-rule.ts";
import { graceMsOf, type Retention } from "./retention.ts";
import { deriveTokenKeys, parseTokenSecret } from "./token-secret.ts";
import type { OwnCache, Upstream } from "./upstream.ts";
import { type ParsedUpstreams, parseUpstreams } from "./upstreams.ts";
import { isSet, once, priority, storeDir, token } from "./values.ts";
import { misspeltVariables } from "./variables.ts";

export type { Keys } from "./keys.ts";

/** Settings that all caches of a deployment share. */
export interface Shared {
  /** Milliseconds: see {@link Retention}. */
  readonly graceMs: number;
  readonly storeDir: string;
  /** Allows everything. */
  readonly adminToken: string | undefined;
  /** Allows writes to the default cache. */
  readonly pushToken: string | undefined;
  /** Allows reads of the default cache, where it is private. */
  readonly pullToken: string | undefined;
  /** Whether there is a TOKEN_SECRET to mint tokens with. */
  readonly mintsTokens: boolean;
  /** The keys of minted tokens: the first signs, all verify. */
  readonly tokenKeys: () => Promise<readonly CryptoKey[]>;
  /** The rules that accept identity tokens. */
  readonly oidc: readonly OidcRule[];
  /** The name of the default cache, whose catalog keeps the tokens of all. */
  readonly defaultName: string;
  /** Of the default cache and of all named ones. */
  readonly declaredNames: ReadonlySet<string>;
  /** One line for each mistake that is found without importing the keys. */
  readonly problems: readonly string[];
  /** One line for each mistake in the keys of any cache. */
  readonly keyProblems: () => Promise<readonly string[]>;
  /** Whether a named cache is private: then the names of caches are secret. */
  readonly hidesNames: boolean;
}

/** One cache. */
export interface Config extends Shared, Retention {
  readonly cacheName: string;
  /** False for a name that is not (or no longer) in the configuration: such a cache refuses everything. */
  readonly isDeclared: boolean;
  /** The prefix of its keys in the bucket: empty, or its name and a slash. */
  readonly folder: string;
  readonly priority: number;
  readonly isPrivate: boolean;
  /** Whether a path may be published before its references. */
  readonly isOpen: boolean;
  /** When the content of NARs is verified. */
  readonly verify: Verify;
  /** Whether verifying a NAR writes its listing, if none was pushed. */
  readonly listings: boolean;
  /** For whom it can be searched and listed; where it is private, for members in any case. */
  readonly listing: Listing;
  /** The caches that are asked for paths that are not here, in order. */
  readonly upstreams: readonly Upstream[];
  /** The keys, imported on first use, because reads need none. Never rejects. */
  readonly keys: () => Promise<Keys>;
}

export interface Deployment extends Config {
  /** The named caches. */
  readonly named: ReadonlyMap<string, Config>;
}

const DEFAULT_PRIORITY = 41;
const DEFAULT_STORE_DIR = "/nix/store";
const DEFAULT_CACHE_NAME = "nix-cache";

const parsed = new WeakMap<Env, Deployment>();

/** The configuration of an environment. Parsed once for each; its problems are logged then. */
export function configOf(env: Env): Deployment {
  let config = parsed.get(env);
  if (config === undefined) {
    const log = (problem: string) => console.error(`configuration: ${problem}`);
    config = parseConfig(env, log);
    parsed.set(env, config);
    config.problems.forEach(log);
  }
  return config;
}

/** The cache of a name; `undefined` if it is not declared. */
export function cacheNamed(deployment: Deployment, name: string): Config | undefined {
  return name === deployment.cacheName ? deployment : deployment.named.get(name);
}

/** A cache that is not declared. */
export function undeclared(deployment: Deployment, name: string): Config {
  const { named: _, ...config } = deployment;
  return {
    ...config,
    cacheName: name,
    folder: `${name}/`,
    isDeclared: false,
    isPrivate: true,
    isOpen: false,
    upstreams: [],
  };
}

/**
 * All mistakes of a configuration, those of its keys included. They are public: if a named cache is private, lines
 * with cache names are only in the log.
 */
export async function allProblems({ problems, keyProblems, hidesNames }: Config): Promise<string[]> {
  const all = [...problems, ...(await keyProblems())];
  const shown = all.map((problem) =>
    hidesNames && /^CACHES(\.|: the name)/.test(problem) ? HIDDEN_PROBLEM : problem,
  );
  return [...new Set(shown)];
}

/** The message of a refusal because of a mistake in the configuration; `consequence` begins the sentence. */
export function untilFixed(consequence: string, problem: string): string {
  return `${consequence} until the configuration is fixed: ${problem}`;
}

/** Stands on /health for problems with the names of private caches. */
export const HIDDEN_PROBLEM = "CACHES: has a mistake; the log of the Worker names it";

/** `log` is called with each mistake in a key, when the keys are imported. */
export function parseConfig(env: Env, log: (problem: string) => void = () => {}): Deployment {
  const problems: string[] = [];
  if (!isSet(env.BUCKET)) problems.push("BUCKET: no R2 bucket is bound; see [[r2_buckets]] in wrangler.toml");
  if (isSet(env.TRAFFIC) && typeof env.TRAFFIC?.writeDataPoint !== "function") {
    problems.push(
      "TRAFFIC: no Analytics Engine is bound; see [[analytics_engine_datasets]] in nix-cache.toml",
    );
  }
  const dir = storeDir(env.STORE_DIR, DEFAULT_STORE_DIR, problems);
  const staticTokens = tokens(env, problems);
  const defaultName = cacheName(env.CACHE_NAME, problems);
  const defaults: EntryDefaults = {
    priority: priority("PRIORITY", env.PRIORITY, DEFAULT_PRIORITY, problems),
    listing: listing("LISTING", env.LISTING, DEFAULT_LISTING, problems),
  };
  const caches = parseCaches(env.CACHES, defaultName, defaults, problems);
  const misspelt = misspeltVariables(env, SETTINGS);
  problems.push(...misspelt.problems);
  // With a wrong CACHE_NAME the default cache loses its entry, which may make it private.
  const isUnclear =
    caches.isUnclear || misspelt.mayHide || (isSet(env.CACHE_NAME) && env.CACHE_NAME !== defaultName);
  const { [defaultName]: own, ...others } = Object.fromEntries(caches.entries);
  const tokenSecrets = parseTokenSecret(env.TOKEN_SECRET, problems);
  const oidc = parseOidc(env.OIDC, problems);
  const imports: KeyImports = { signing: once(() => importSigningKeys(env.SIGNING_KEY, log)), log };
  const ownCache = cacheOf(env, defaultName, own, defaults, imports, false);
  const otherCaches = Object.entries(others).map(([name, entry]) => ({
    ...cacheOf(env, name, entry, defaults, imports, true),
    isPrivate: entry.isPrivate ?? misspelt.mayHide,
  }));
  // Private until fixed, if PULL_TOKEN is set but unusable, or if what may make it private is invalid or misspelt.
  const isPrivate = ownCache.isPrivate || isSet(env.PULL_TOKEN) || isUnclear;
  const known: readonly OwnCache[] = [
    { name: defaultName, folder: "", isPrivate },
    ...otherCaches.map((cache) => ({
      name: cache.cacheName,
      folder: `${cache.cacheName}/`,
      isPrivate: cache.isPrivate,
    })),
  ];
  const upstreams = upstreamsOf(env, dir, known, caches.entries, problems, log);
  const shared: Shared = {
    storeDir: dir,
    graceMs: graceMsOf(env.GC_GRACE_SECONDS, problems),
    ...staticTokens,
    mintsTokens: tokenSecrets.length > 0,
    tokenKeys: once(() => deriveTokenKeys(tokenSecrets)),
    oidc,
    defaultName,
    declaredNames: new Set(known.map(({ name }) => name)),
    problems,
    keyProblems: once(async () => {
      const keys = await Promise.all([ownCache, ...otherCaches].map((cache) => cache.keys()));
      const ofUpstreams = await Promise.all([...upstreams.values()].map((each) => each.keyProblems()));
      return [...new Set([...keys.flatMap((each) => each.problems), ...ofUpstreams.flat()])];
    }),
    hidesNames: isUnclear || otherCaches.some(({ isPrivate }) => isPrivate),
  };
  return {
    ...shared,
    ...ownCache,
    folder: "",
    isPrivate,
    upstreams: upstreams.get(defaultName)?.upstreams ?? [],
    named: new Map(
      otherCaches.map((cache) => [
        cache.cacheName,
        {
          ...shared,
          ...cache,
          folder: `${cache.cacheName}/`,
          upstreams: upstreams.get(cache.cacheName)?.upstreams ?? [],
        },
      ]),
    ),
  };
}

function cacheOf(
  env: Env,
  name: string,
  entry: CacheEntry | undefined,
  defaults: EntryDefaults,
  imports: KeyImports,
  isNamed: boolean,
): Omit<Config, keyof Shared | "folder" | "upstreams"> {
  const choice = {
    mustNameSigning: isNamed,
    ...(entry?.signingKeys !== undefined && { signing: entry.signingKeys }),
    ...(entry?.trustedPublicKeys !== undefined && { trusted: entry.trustedPublicKeys }),
  };
  return {
    cacheName: name,
    isDeclared: true,
    priority: entry?.priority ?? defaults.priority,
    isPrivate: entry?.isPrivate ?? false,
    isOpen: entry?.isOpen ?? false,
    verify: entry?.verify ?? DEFAULT_VERIFY,
    listings: entry?.listings ?? false,
    listing: entry?.listing ?? defaults.listing,
    ...entry?.retention,
    keys: once(() => importKeys(imports, env.TRUSTED_PUBLIC_KEYS, `CACHES.${name}`, choice)),
  };
}

/** By the name of the cache. A mistake in UPSTREAMS is reported once. */
function upstreamsOf(
  env: Env,
  storeDir: string,
  known: readonly OwnCache[],
  entries: ReadonlyMap<string, CacheEntry>,
  problems: string[],
  log: (problem: string) => void,
): ReadonlyMap<string, ParsedUpstreams> {
  const caches = new Map(known.map((cache) => [cache.name, cache]));
  const all = new Set<string>();
  const parsed = new Map<string, ParsedUpstreams>();
  for (const { name, isPrivate } of known) {
    const own = entries.get(name)?.upstreams;
    const [label, value] =
      own === undefined ? ["UPSTREAMS", env.UPSTREAMS] : [`CACHES.${name}.upstreams`, own];
    const found: string[] = [];
    parsed.set(name, parseUpstreams(label, value, { name, isPrivate, storeDir, caches, log }, found));
    for (const problem of found) all.add(problem);
  }
  problems.push(...all);
  return parsed;
}

/** An ADMIN_TOKEN that equals another token is ignored. */
function tokens(env: Env, problems: string[]): Pick<Shared, "adminToken" | "pushToken" | "pullToken"> {
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
  return {
    adminToken: [pushToken, pullToken].includes(adminToken) ? undefined : adminToken,
    pushToken,
    pullToken,
  };
}

function cacheName(value: unknown, problems: string[]): string {
  if (!isSet(value)) return DEFAULT_CACHE_NAME;
  const problem = nameProblem(value);
  if (problem === undefined) return value as string;
  problems.push(`CACHE_NAME: ${problem}; using ${DEFAULT_CACHE_NAME}`);
  return DEFAULT_CACHE_NAME;
}
