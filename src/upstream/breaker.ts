// A breaker: an upstream that is down or slow is not asked for a while, so that a push does not wait for it again and
// again. One for each upstream and isolate.

/** Milliseconds for which a dead upstream is not asked; then one question tries it. */
export const PAUSE_MS = 60_000;
/** Milliseconds above which an answer is slow. */
const SLOW_MS = 1000;
/**
 * Strikes in a row after which it pauses. A question that fails is worth two, a slow one one: so a push waits for at most
 * five slow answers, or for two questions until their time limit.
 */
const MAX_STRIKES = 4;
const FAILURE = 2;
const SLOW = 1;

export class Breaker {
  #strikes = 0;
  #pausedUntil = Number.NEGATIVE_INFINITY;

  /** Whether to ask now, in milliseconds since the epoch. After a pause true once: others wait for that answer. */
  admits(now: number): boolean {
    if (this.#strikes < MAX_STRIKES) return true;
    // A clock that is set back must not prolong the pause.
    if (now < this.#pausedUntil && now >= this.#pausedUntil - PAUSE_MS) return false;
    this.#pausedUntil = now + PAUSE_MS;
    return true;
  }

  /** It has answered after so many milliseconds, whatever it said. */
  answered(now: number, ms: number): void {
    if (ms < SLOW_MS) this.#strikes = 0;
    else this.#strike(now, SLOW);
  }

  /** It is down, has an outage or does not answer in time. True where it pauses from now on and did not before. */
  failed(now: number): boolean {
    const wasPaused = this.#strikes >= MAX_STRIKES;
    this.#strike(now, FAILURE);
    return !wasPaused && this.#strikes >= MAX_STRIKES;
  }

  #strike(now: number, strikes: number): void {
    this.#strikes += strikes;
    if (this.#strikes >= MAX_STRIKES) this.#pausedUntil = now + PAUSE_MS;
  }
}
