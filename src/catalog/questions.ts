// The order of questions, such as searches: one at a time, and pushes have their turns in between.
import { Refused } from "./refuse.ts";

/** Milliseconds that the catalog is free for pushes after each question, while a push goes on. */
const PAUSE_MS = 20;
/** Questions that wait; a flood of them would only wait longer. */
export const MAX_WAITING = 100;

export class Questions {
  readonly #isBusy: () => boolean;
  readonly #wait: (ms: number) => Promise<unknown>;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  /** `isBusy` tells whether a push goes on. */
  constructor(isBusy: () => boolean, wait: (ms: number) => Promise<unknown>) {
    this.#isBusy = isBusy;
    this.#wait = wait;
  }

  /** Answers when the questions before have been answered. Throws {@link Refused} too-many-questions. */
  ask<T>(answer: () => T | Promise<T>): Promise<T> {
    if (this.#waiting >= MAX_WAITING) throw new Refused({ kind: "too-many-questions" });
    this.#waiting++;
    const answered = this.#last.then(answer).finally(() => this.#waiting--);
    const pause = () => (this.#isBusy() ? this.#wait(PAUSE_MS) : undefined);
    this.#last = answered.then(pause, pause);
    return answered;
  }
}
