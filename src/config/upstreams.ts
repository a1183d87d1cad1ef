// Parses UPSTREAMS and the `upstreams` of a cache: lists of URLs, or of tables with more settings.
import { quote } from "../nix/format-error.ts";
import { type PublicKey, parsePublicKey } from "../nix/keys.ts";
import { eachKey, type ImportedKeys } from "./keys.ts";
import { GB } from "./retention.ts";
import type { OwnCache, Upstream } from "./upstream.ts";
import { SERVE } from "./upstream.ts";
import { isSet, isTable, jsonOrValue, once } from "./values.ts";

/** Every stock client has this cache and its key, so that a closure need not be kept twice. */
const NIXOS = "https://cache.nixos.org";
const NIXOS_KEY = "cache.nixos.org-1:6NCHdD59X431o0gWypbMrAURkbJ16ZPMQFGspcDShjY=";

/** What reference.ts documents. */
export const FIELDS = ["url", "public_keys", "serve", "anonymous", "mirror_gb_per_day"] as const;
/** Each is asked for every path that is not here. */
const MAX_UPSTREAMS = 8;
const DEFAULT_GB_PER_DAY = 10;

/** Thrown within this file only. */
class Mistake extends Error {}

/** The cache that has the upstreams, and the other caches of this Worker. */
export interface Surroundings {
  readonly name: string;
  readonly isPrivate: boolean;
  readonly storeDir: string;
  /** All caches, by name. */
  readonly caches: ReadonlyMap<string, OwnCache>;
  /** Is called with each mistake in a key. */
  readonly log: (problem: string) => void;
}

export interface ParsedUpstreams {
  readonly upstreams: readonly Upstream[];
  /** One line for each mistake in their keys. */
  readonly keyProblems: () => Promise<readonly string[]>;
}

/**
 * Parses a list for one cache. `label` is the variable, which begins every line of `problems`; an upstream with a mistake
 * is left out. Unset means cache.nixos.org, but none for another store; an empty list means none.
 */
export function parseUpstreams(
  label: string,
  value: unknown,
  surroundings: Surroundings,
  problems: string[],
): ParsedUpstreams {
  const upstreams = new Map<string, Upstream>();
  const imports: (() => Promise<ImportedKeys<PublicKey>>)[] = [];
  for (const [index, entry] of entriesOf(label, value, surroundings.storeDir, problems).entries()) {
    const at = `${label}: upstream ${index + 1}`;
    try {
      const parsed = parseUpstream(at, entry, surroundings);
      // A list for all caches may name one of them, which is not its own upstream.
      if (parsed === undefined) continue;
      if (upstreams.has(parsed.upstream.url)) throw new Mistake("url: is there already");
      if (upstreams.size === MAX_UPSTREAMS) throw new Mistake(`there may be ${MAX_UPSTREAMS} at most`);
      upstreams.set(parsed.upstream.url, parsed.upstream);
      imports.push(parsed.imported);
    } catch (error) {
      if (!(error instanceof Mistake)) throw error;
      problems.push(`${at}: ${error.message}`);
    }
  }
  return {
    upstreams: [...upstreams.values()],
    keyProblems: async () =>
      (await Promise.all(imports.map((each) => each()))).flatMap((each) => each.problems),
  };
}

function entriesOf(label: string, value: unknown, storeDir: string, problems: string[]): readonly unknown[] {
  // It has paths of this store only.
  if (!isSet(value)) return storeDir === "/nix/store" ? [NIXOS] : [];
  const list = jsonOrValue(value);
  if (Array.isArray(list)) return list;
  const words = typeof list === "string" ? list.split(/\s+/).filter((word) => word !== "") : [];
  if (words.length > 0 && words.every((word) => /^(https?:\/\/|\/)/.test(word))) return words;
  problems.push(`${label}: must be a list of URLs or tables, such as ["${NIXOS}"]; [] means none`);
  return [];
}

interface Parsed {
  readonly upstream: Upstream;
  readonly imported: () => Promise<ImportedKeys<PublicKey>>;
}

function parseUpstream(at: string, entry: unknown, surroundings: Surroundings): Parsed | undefined {
  const table = typeof entry === "string" ? { url: entry } : entry;
  if (!isTable(table)) throw new Mistake(`must be a URL or a table with ${FIELDS.join(", ")}`);
  const unknown = Object.keys(table).find((key) => !FIELDS.some((name) => name === key));
  if (unknown !== undefined) {
    throw new Mistake(`${quote(unknown)}: unknown field; allowed: ${FIELDS.join(", ")}`);
  }
  const { url, own } = parseUrl(table.url, surroundings);
  if (own !== undefined && own.name === surroundings.name) {
    if (at.startsWith("UPSTREAMS")) return undefined;
    throw new Mistake("url: is this cache itself");
  }
  if (own?.isPrivate && !surroundings.isPrivate) {
    throw new Mistake("url: is a private cache, which readers of this public one may not read");
  }
  const serve = SERVE.find((word) => word === (table.serve ?? "pushers"));
  if (serve === undefined) throw new Mistake(`serve: must be one of ${SERVE.join(", ")}`);
  if (serve === "mirror" && own !== undefined) {
    throw new Mistake("serve: a cache of this Worker is not mirrored; redirect is enough");
  }
  const { anonymous = true } = table;
  if (typeof anonymous !== "boolean") throw new Mistake("anonymous: must be true or false");
  const keys = keysOf(url, own, table.public_keys);
  const imported = once(async () => {
    const keyring = await eachKey(`${at}: public_keys`, keys, parsePublicKey);
    keyring.problems.forEach(surroundings.log);
    return keyring;
  });
  return {
    upstream: {
      url,
      ...(own !== undefined && { own }),
      serve,
      anonymous,
      mirrorBytesPerDay: gigabytes(table.mirror_gb_per_day) * GB,
      keys: async () => (keys === undefined ? "none-needed" : (await imported()).keys),
    },
    imported,
  };
}

/** RFC 3986; the path of a cache on a host that has several. */
function parseUrl(value: unknown, { caches }: Surroundings): Pick<Upstream, "url" | "own"> {
  if (typeof value !== "string" || value === "") throw new Mistake(`url: must be a URL, such as "${NIXOS}"`);
  const trimmed = value.replace(/\/+$/, "");
  if (trimmed.startsWith("/")) {
    const own = caches.get(trimmed.slice(1));
    // Not quoted: it may be the name of a private cache.
    if (own === undefined) throw new Mistake("url: names no cache of this Worker; CACHES declares them");
    return { url: trimmed, own };
  }
  const url = URL.parse(trimmed);
  if (url === null)
    throw new Mistake(`url: must be a URL, such as "${NIXOS}", or "/<name>" for a cache of this Worker`);
  // Not quoted: it may hold a password.
  if (url.username !== "" || url.password !== "") {
    throw new Mistake("url: must have no user and no password; an upstream gets no credential");
  }
  if (/[?#\s]/.test(value)) throw new Mistake("url: must have no query, no fragment and no white space");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isThisMachine(url.hostname))) {
    throw new Mistake("url: must begin with https:// (http:// is for this machine only)");
  }
  return { url: url.href.replace(/\/+$/, "") };
}

function isThisMachine(host: string): boolean {
  return host === "localhost" || host === "127.0.0.1" || host === "[::1]";
}

/** What `public_keys` says, or what needs not be said. */
function keysOf(url: string, own: OwnCache | undefined, value: unknown): unknown {
  const isNone = !isSet(value) || (Array.isArray(value) && value.length === 0);
  if (!isNone) return value;
  if (url === NIXOS) return NIXOS_KEY;
  if (own !== undefined) return undefined;
  throw new Mistake(`public_keys: must list the public keys by which ${quote(url)} signs`);
}

function gigabytes(value: unknown): number {
  if (value === undefined) return DEFAULT_GB_PER_DAY;
  if (typeof value === "number" && value > 0 && value <= 1e6) return value;
  throw new Mistake("mirror_gb_per_day: must be a number above 0, such as 10");
}
