// Whether a push is going on: work that can wait then leaves it room.

/** Milliseconds after a call of a push for which more are expected. */
const BUSY_MS = 1000;

export class Activity {
  readonly #now: () => number;
  #last = Number.NEGATIVE_INFINITY;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** A call of a push has arrived. */
  note(): void {
    this.#last = this.#now();
  }

  isBusy(): boolean {
    return this.#now() - this.#last < BUSY_MS;
  }
}
