// What an isolate does once a day for each name, such as telling the catalog of a read.
import type { Env } from "../env.ts";

const DAY_MS = 24 * 3600 * 1000;
/** Names that are remembered. */
const MAX_NAMES = 20_000;

export class Daily {
  readonly #names = new Map<string, number>();

  /** Whether it is the first time in a day, as far as this isolate remembers. */
  isFirst(name: string, now = Date.now()): boolean {
    const last = this.#names.get(name);
    if (last !== undefined && last <= now && now - last < DAY_MS) return false;
    this.#names.delete(name);
    this.#names.set(name, now);
    const [oldest] = this.#names.keys();
    if (this.#names.size > MAX_NAMES && oldest !== undefined) this.#names.delete(oldest);
    return true;
  }
}

const memories = new WeakMap<Env, Daily>();

/** That of an environment: one per isolate, and in tests one per cache. */
export function dailyOf(env: Env): Daily {
  let daily = memories.get(env);
  if (daily === undefined) {
    daily = new Daily();
    memories.set(env, daily);
  }
  return daily;
}
