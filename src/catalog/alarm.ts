// The alarm of a catalog, and the work that it runs.

/** Milliseconds after which failed work is retried. */
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

  /** Reads the time of the alarm. Call it when the object starts, and when the alarm has fired: then none is set. */
  async read(): Promise<void> {
    this.#due = await this.#storage.getAlarm();
  }

  /**
   * Runs the alarm at `time` (milliseconds since the epoch) or earlier. It is written atomically with the rows of the
   * same turn, so that rows that need an alarm always have one.
   */
  wake(time: number): void {
    if (this.#due !== null && this.#due <= time) return;
    this.#due = time;
    // Not awaited: the object's output gate holds every response back until it is written.
    void this.#storage.setAlarm(time);
  }

  /** Whether the alarm goes off within so many milliseconds. */
  isDueWithin(ms: number): boolean {
    return this.#due !== null && this.#due <= this.#now() + ms;
  }

  /** Rolling a transaction back also undoes an alarm that was set in it. */
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
   * Does work that returns the time of its next turn. Failed work is retried a minute later: otherwise one failure
   * would stop the other work, and the platform would give up the alarm after some retries.
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
