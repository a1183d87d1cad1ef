// A breaker: an upstream that is down or slow is not asked for a while, so that a push does not wait for it again and
// again. One for each upstream and isolate.

/** Milliseconds for which a dead upstream is not asked; then one question tries it. */
export const PAUSE_MS = 60_000;
/** Milliseconds from which on an answer is slow. */
const SLOW_MS = 500;
/**
 * Milliseconds that may be lost until it pauses: two questions until their time limit, or slow answers that take as long
 * together.
 */
const MAX_LOST_MS = 4000;
/** Milliseconds that a failure counts at least: an upstream that is down at once is not asked more than twice either. */
const FAILURE_MS = 2000;
/** Milliseconds that a fast answer makes good: one in a hundred may be slow, and not every second one. */
const MADE_GOOD_MS = 20;

export class Breaker {
  #lost = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;
  /** When a question tried it after the pause: an answer to an earlier one is no sign of life. */
  #triedAt = Number.POSITIVE_INFINITY;

  /** Whether to ask now, in milliseconds since the epoch. After a pause true once: others wait for that answer. */
  admits(now: number): boolean {
    if (this.#lost < MAX_LOST_MS) return true;
    // A clock that is set back must not prolong the pause.
    if (now < this.#pausedUntil && now >= this.#pausedUntil - PAUSE_MS) return false;
    this.#pausedUntil = now + PAUSE_MS;
    this.#triedAt = now;
    return true;
  }

  /** It has answered after so many milliseconds, whatever it said. */
  answered(now: number, ms: number): void {
    if (ms >= SLOW_MS) this.#lose(now, ms);
    else if (this.#lost < MAX_LOST_MS) this.#lost = Math.max(this.#lost - MADE_GOOD_MS, 0);
    else if (now - ms >= this.#triedAt) this.#lost = 0;
  }

  /**
   * It is down, has an outage or does not answer in time. Returns what is news: the `first` failure after all was well,
   * or that it `pauses` from now on.
   */
  failed(now: number, ms = 0): "first" | "pauses" | undefined {
    const before = this.#lost;
    this.#lose(now, Math.max(ms, FAILURE_MS));
    if (before < MAX_LOST_MS && this.#lost >= MAX_LOST_MS) return "pauses";
    return before === 0 ? "first" : undefined;
  }

  #lose(now: number, ms: number): void {
    this.#lost += ms;
    if (this.#lost < MAX_LOST_MS) return;
    this.#pausedUntil = now + PAUSE_MS;
    this.#triedAt = Number.POSITIVE_INFINITY;
  }
}
