// The keys of trusted issuers, kept in this isolate's memory and fetched rarely.
import { waitUntil } from "cloudflare:workers";
import { FETCH_TIMEOUT_MS, type Fetch, FetchError } from "./bounded-fetch.ts";
import { type Algorithm, fetchIssuerKeys, type IssuerKey } from "./issuer-keys.ts";

/** Milliseconds after which keys are fetched again, so that a withdrawn key becomes invalid. */
export const FRESH_MS = 60 * 60 * 1000;
/**
 * Milliseconds for which keys are used while their issuer does not answer. Limits how long a denial of service on the
 * issuer keeps a withdrawn key valid.
 */
export const STALE_MS = 6 * 60 * 60 * 1000;
/** Milliseconds between two fetches for an unknown key: a forged token can name any. */
export const COOL_DOWN_MS = 30 * 1000;
/** The same after a failure. Shorter, because every token with an unknown key is refused until then. */
export const FAILURE_COOL_DOWN_MS = 5 * 1000;
/** Timeout of a fetch of two requests; an older one has died with its request. */
const FETCH_MS = 2 * FETCH_TIMEOUT_MS + 1000;
/** Milliseconds between two polls of another request's fetch. */
const POLL_MS = 20;

export type KeyResult =
  | { readonly kind: "key"; readonly key: CryptoKey }
  /** The issuer has no such key. */
  | { readonly kind: "unknown" }
  /** The issuer does not answer. */
  | { readonly kind: "unavailable"; readonly why: string };

export interface KeySource {
  /** Finds a key of an issuer. Only for trusted issuers: its URL is fetched. Never rejects. */
  readonly find: (issuer: string, keyId: string | undefined, algorithm: Algorithm) => Promise<KeyResult>;
}

export interface KeySourceOptions {
  readonly fetcher: Fetch;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly wait: (ms: number) => Promise<unknown>;
  /** Continues work after its request has ended. */
  readonly keepAlive: (work: Promise<void>) => void;
}

const DEFAULTS: KeySourceOptions = {
  fetcher: (url, init) => fetch(url, init),
  now: () => Date.now(),
  wait: (ms) => new Promise((done) => setTimeout(done, ms)),
  keepAlive: waitUntil,
};

/**
 * A source with a cache, one per isolate. It keeps results and no promises, because a promise belongs to its request.
 */
export function createKeySource(options: Partial<KeySourceOptions> = {}): KeySource {
  const issuers = new Map<string, KnownKeys>();
  return {
    find(issuer, keyId, algorithm) {
      const known = issuers.get(issuer) ?? new KnownKeys(issuer, { ...DEFAULTS, ...options });
      issuers.set(issuer, known);
      return known.find(keyId, algorithm);
    },
  };
}

/** The keys of one issuer. All times are in milliseconds since the epoch. */
class KnownKeys {
  readonly #issuer: string;
  readonly #options: KeySourceOptions;
  #keys: readonly IssuerKey[] = [];
  /** When the fetch of the keys began. */
  #fetched = Number.NEGATIVE_INFINITY;
  /** When the last fetch began. */
  #asked = Number.NEGATIVE_INFINITY;
  /** Why the last fetch failed. */
  #failure: string | undefined;
  /** Whether a fetch has begun and not ended: it is in flight, or died with its request. */
  #isOpen = false;

  constructor(issuer: string, options: KeySourceOptions) {
    this.#issuer = issuer;
    this.#options = options;
  }

  async find(keyId: string | undefined, algorithm: Algorithm): Promise<KeyResult> {
    const isMissing = this.#select(keyId, algorithm) === undefined;
    // A request that has its key does not wait for another request's fetch.
    const isDue = this.#age() >= FRESH_MS && !this.#isFetching();
    if ((isMissing || isDue) && this.#mayFetch(isMissing)) await this.#refresh();
    const key = this.#select(keyId, algorithm);
    if (key !== undefined) return { kind: "key", key };
    if (this.#age() < STALE_MS && this.#failure === undefined) return { kind: "unknown" };
    const why = this.#failure ?? "its keys are still on their way";
    return { kind: "unavailable", why: `${this.#issuer}: ${why}` };
  }

  /** RFC 7515, section 4.1.4. Without a key id a token is verified by the only key of the set. */
  #select(id: string | undefined, algorithm: Algorithm): CryptoKey | undefined {
    if (this.#age() >= STALE_MS) return undefined;
    const suitable = this.#keys.filter((key) => key.algorithm === algorithm);
    if (id !== undefined) return suitable.find((key) => key.id === id)?.key;
    return suitable.length === 1 ? suitable[0]?.key : undefined;
  }

  /** Milliseconds since the fetch of the keys. */
  #age(): number {
    return this.#options.now() - this.#fetched;
  }

  #isFetching(): boolean {
    return this.#isOpen && this.#options.now() - this.#asked < FETCH_MS;
  }

  #mayFetch(isMissing: boolean): boolean {
    if (this.#isFetching()) return true;
    // A fetch older than FETCH_MS has died, which counts as a failure.
    const hasFailed = this.#failure !== undefined || this.#isOpen;
    const coolDown = hasFailed && isMissing ? FAILURE_COOL_DOWN_MS : COOL_DOWN_MS;
    return this.#options.now() - this.#asked >= coolDown;
  }

  /**
   * Fetches, or waits until another request's fetch has ended. It polls instead of awaiting that request's promise:
   * if that request is killed, its promise never settles (tried with workerd of 2026-11).
   */
  async #refresh(): Promise<void> {
    if (this.#isFetching()) {
      while (this.#isFetching()) await this.#options.wait(POLL_MS);
      // Otherwise it has died, and the first request to notice fetches again.
      if (!this.#isOpen) return;
    }
    const fetching = this.#fetch();
    // Other requests wait for it, even if this one is cancelled.
    this.#options.keepAlive(fetching);
    await fetching;
  }

  async #fetch(): Promise<void> {
    const begun = this.#options.now();
    this.#asked = begun;
    this.#isOpen = true;
    try {
      this.#keys = await fetchIssuerKeys(this.#options.fetcher, this.#issuer);
      // The start of the fetch: later changes of the issuer may be missing.
      this.#fetched = begun;
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error instanceof FetchError ? error.message : "its keys cannot be read";
      console.warn(`OIDC issuer ${this.#issuer}: ${this.#failure}`);
    } finally {
      this.#isOpen = false;
    }
  }
}
