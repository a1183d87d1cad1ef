// Locks by name: while an operation on a path awaits the bucket, others on the same path wait for it.

/**
 * Named locks of one process. After a crash the intents in the table `pending` tell which operations were in flight.
 */
export class Locks {
  readonly #tails = new Map<string, Promise<unknown>>();

  /** Runs `operation` when all earlier ones of that name have succeeded or failed. */
  async run<T>(name: string, operation: () => Promise<T>): Promise<T> {
    const earlier = this.#tails.get(name);
    const tail = earlier === undefined ? operation() : earlier.then(operation, operation);
    this.#tails.set(name, tail);
    try {
      return await tail;
    } finally {
      if (this.#tails.get(name) === tail) this.#tails.delete(name);
    }
  }

  /**
   * Runs `operation` when all of the names are free, and holds them all meanwhile. It holds none while it waits, so
   * that it cannot deadlock.
   */
  async runAll<T>(names: readonly string[], operation: () => Promise<T>): Promise<T> {
    for (let held = this.#heldOf(names); held !== undefined; held = this.#heldOf(names)) {
      await this.settled(held);
    }
    const done = operation();
    // Acquired synchronously. Only the caller gets a failure, not each of the locks.
    const hold = () => done.then(() => undefined);
    for (const name of names) void this.run(name, hold).catch(() => undefined);
    return done;
  }

  isHeld(name: string): boolean {
    return this.#tails.has(name);
  }

  /** Resolves when the operations that run or wait on `name` have ended; never rejects. */
  async settled(name: string): Promise<void> {
    await this.#tails.get(name)?.catch(() => undefined);
  }

  #heldOf(names: readonly string[]): string | undefined {
    return names.find((name) => this.isHeld(name));
  }
}
