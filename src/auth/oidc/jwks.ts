// Which key a token is signed with: an issuer's keys, kept in this isolate's memory, fetched as seldom as can be.
import { waitUntil } from "cloudflare:workers";
import { FETCH_TIMEOUT_MS, type Fetch, FetchError } from "./bounded-fetch.ts";
import { type Algorithm, fetchIssuerKeys, type IssuerKey } from "./issuer-keys.ts";

/** Milliseconds after which keys are fetched again: a key that the issuer has withdrawn stops to count. */
export const FRESH_MS = 60 * 60 * 1000;
/**
 * Milliseconds for which keys that were good are used while their issuer does not answer. Its outage is no reason to
 * stop; but who can keep us from asking it must not keep a withdrawn key alive for longer.
 */
export const STALE_MS = 6 * 60 * 60 * 1000;
/** Milliseconds between two fetches for the sake of a key that is not there: anybody can name one. */
export const COOL_DOWN_MS = 30 * 1000;
/** Milliseconds after a failure. Shorter: until then whoever needs a key that is not here is refused. */
export const FAILURE_COOL_DOWN_MS = 5 * 1000;
/** Two requests, and some time to spare: a fetch that is older has died. */
const FETCH_MS = 2 * FETCH_TIMEOUT_MS + 1000;
/** Milliseconds between two looks at whether another request's fetch has ended. */
const LOOK_MS = 20;

export type KeyResult =
  | { readonly kind: "key"; readonly key: CryptoKey }
  /** The issuer has no such key. */
  | { readonly kind: "unknown" }
  /** Whether it has cannot be found out now. */
  | { readonly kind: "unavailable"; readonly why: string };

export interface KeySource {
  /** Finds the key of a trusted issuer: its URL decides where this fetches from. Never rejects. */
  readonly find: (issuer: string, keyId: string | undefined, algorithm: Algorithm) => Promise<KeyResult>;
}

interface State {
  keys: readonly IssuerKey[];
  /** When the keys were fetched, in milliseconds since the epoch, like all times here. */
  fetched: number;
  /** When the last fetch began. */
  asked: number;
  /** Why the last fetch failed. */
  failure: string | undefined;
  /** Whether a fetch is under way. */
  fetching: boolean;
}

export interface KeySourceOptions {
  readonly fetcher?: Fetch;
  readonly now?: () => number;
  readonly wait?: (ms: number) => Promise<unknown>;
  /** Lets work go on although its request ends before. */
  readonly keepAlive?: (work: Promise<void>) => void;
}

/** A memory of keys. One for an isolate: it holds results only, so that any request may use it. */
export function createKeySource({
  fetcher = (url, init) => fetch(url, init),
  now = () => Date.now(),
  wait = (ms) => new Promise((done) => setTimeout(done, ms)),
  keepAlive = waitUntil,
}: KeySourceOptions = {}): KeySource {
  const states = new Map<string, State>();

  /**
   * Fetches, or waits until another request's fetch has ended. It looks for the end again and again, in the place of
   * awaiting the other's promise: the I/O of a request that is killed dies with it, and a promise for that never
   * settles, for nobody (tried with workerd of 2026-11).
   */
  async function refresh(issuer: string, state: State): Promise<void> {
    if (isFetching(state, now())) {
      while (isFetching(state, now())) await wait(LOOK_MS);
      // Else it has died, and the first to notice takes its place.
      if (!state.fetching) return;
    }
    const fetching = fetchKeys(issuer, state);
    // The others wait for it, too: whose request began it may go.
    keepAlive(fetching);
    await fetching;
  }

  async function fetchKeys(issuer: string, state: State): Promise<void> {
    const begun = now();
    state.asked = begun;
    state.fetching = true;
    try {
      const keys = await fetchIssuerKeys(fetcher, issuer);
      state.keys = keys;
      // Its beginning: what the issuer has changed since may be missing.
      state.fetched = begun;
      state.failure = undefined;
    } catch (error) {
      state.failure = error instanceof FetchError ? error.message : "its keys cannot be read";
      console.warn(`OIDC issuer ${issuer}: ${state.failure}`);
    } finally {
      state.fetching = false;
    }
  }

  return {
    async find(issuer, keyId, algorithm) {
      const state = states.get(issuer) ?? {
        keys: [],
        fetched: Number.NEGATIVE_INFINITY,
        asked: Number.NEGATIVE_INFINITY,
        failure: undefined,
        fetching: false,
      };
      states.set(issuer, state);
      const known = () => (isUsable(state, now()) ? select(state.keys, keyId, algorithm) : undefined);
      // With the key in hand nobody waits for a fetch that somebody else does.
      const isDue = now() - state.fetched >= FRESH_MS && !isFetching(state, now());
      const isMissing = known() === undefined;
      if ((isMissing || isDue) && mayAsk(state, now(), isMissing)) await refresh(issuer, state);
      const key = known();
      if (key !== undefined) return { kind: "key", key };
      if (isUsable(state, now()) && state.failure === undefined) return { kind: "unknown" };
      return { kind: "unavailable", why: `${issuer}: ${state.failure ?? "its keys are still on their way"}` };
    },
  };
}

function isFetching(state: State, now: number): boolean {
  return state.fetching && now - state.asked < FETCH_MS;
}

function isUsable(state: State, now: number): boolean {
  return now - state.fetched < STALE_MS;
}

function mayAsk(state: State, now: number, isMissing: boolean): boolean {
  if (isFetching(state, now)) return true;
  // A fetch that has neither ended nor is under way has died: that is a failure, too.
  const hasFailed = state.failure !== undefined || state.fetching;
  return now - state.asked >= (hasFailed && isMissing ? FAILURE_COOL_DOWN_MS : COOL_DOWN_MS);
}

/** RFC 7515, section 4.1.4. A token that names no key means the only one there is. */
function select(
  keys: readonly IssuerKey[],
  id: string | undefined,
  algorithm: Algorithm,
): CryptoKey | undefined {
  const suitable = keys.filter((key) => key.algorithm === algorithm);
  if (id !== undefined) return suitable.find((key) => key.id === id)?.key;
  return suitable.length === 1 ? suitable[0]?.key : undefined;
}
