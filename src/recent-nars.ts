// The small NARs that an isolate has just put into the bucket. Their narinfos usually follow within a moment and to the
// same isolate: the catalog then need not ask the bucket for what has been seen here.
import type { RecentNar } from "./contract/uploads.ts";
import type { Env } from "./env.ts";

/** Milliseconds: for so long a NAR that another tool deletes from the bucket may still be published. */
export const MAX_AGE_MS = 10_000;
/** A kilobyte or so each. */
export const MAX_NARS = 1000;

export class RecentNars {
  readonly #now: () => number;
  readonly #nars = new Map<string, { readonly nar: RecentNar; readonly since: number }>();

  /** `now`: milliseconds since the epoch. */
  constructor(now = () => Date.now()) {
    this.#now = now;
  }

  remember(cacheName: string, nar: RecentNar): void {
    const name = nameOf(cacheName, nar.key);
    this.#nars.delete(name);
    this.#nars.set(name, { nar, since: this.#now() });
    const [oldest] = this.#nars.keys();
    if (this.#nars.size > MAX_NARS && oldest !== undefined) this.#nars.delete(oldest);
  }

  /** The NAR of this key, if it was put into this cache a moment ago. */
  find(cacheName: string, key: string): RecentNar | undefined {
    const found = this.#nars.get(nameOf(cacheName, key));
    if (found === undefined) return undefined;
    const age = this.#now() - found.since;
    return age >= 0 && age < MAX_AGE_MS ? found.nar : undefined;
  }
}

const memories = new WeakMap<Env, RecentNars>();

/** Those of an environment: one memory per isolate, and in tests one per cache. */
export function recentNarsOf(env: Env): RecentNars {
  const nars = memories.get(env) ?? new RecentNars();
  memories.set(env, nars);
  return nars;
}

function nameOf(cacheName: string, key: string): string {
  return `${cacheName} ${key}`;
}
