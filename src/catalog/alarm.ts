// The alarm of a catalog: when it is due, and work that says when it is to be done again.

/** Milliseconds after which work that failed is tried again. */
const RETRY_MS = 60_000;

export class Alarm {
  readonly #storage: DurableObjectStorage;
  readonly #now: () => number;
  /** Milliseconds since the epoch; `null` where none is set. */
  #due: number | null = null;

  constructor(storage: DurableObjectStorage, now: () => number) {
    this.#storage = storage;
    this.#now = now;
  }

  /** Reads when it is due. Call it when the object starts, and when the alarm has gone off: then none is set. */
  async read(): Promise<void> {
    this.#due = await this.#storage.getAlarm();
  }

  /**
   * Runs the alarm at `time` (milliseconds since the epoch) or earlier. It is written together with the rows of the same
   * turn, so that rows that need it never come without it.
   */
  wake(time: number): void {
    if (this.#due !== null && this.#due <= time) return;
    this.#due = time;
    // The object's output gate holds every answer back until it is written.
    void this.#storage.setAlarm(time);
  }

  /** A transaction that is rolled back takes an alarm that was set in it along. */
  transaction<T>(run: () => T): T {
    const due = this.#due;
    try {
      return this.#storage.transactionSync(run);
    } catch (error) {
      this.#due = due;
      throw error;
    }
  }

  /**
   * Does work that returns when it is to be done again. Work that fails is tried again a minute later: the platform
   * would give up the whole alarm after some tries, and one failure would stop the other work.
   */
  async repeat(work: () => Promise<number | undefined>): Promise<void> {
    let next: number | undefined;
    try {
      next = await work();
    } catch (error) {
      console.error("work of the catalog's alarm failed", error);
      next = this.#now() + RETRY_MS;
    }
    if (next !== undefined) this.wake(next);
  }
}
