/** Who waits for its turn in a world, and which of them goes on next. */
import { type Fault, NO_CHOICES, type Schedule } from "./schedule.ts";

/** Who waits for answers: a catalog's process or a Worker. Who is dead gets none, and does nothing any more. */
export class Process {
  isAlive = true;
  readonly #deaths: (() => void)[] = [];

  die(): void {
    this.isAlive = false;
    for (const tell of this.#deaths) tell();
  }

  onDeath(tell: () => void): void {
    this.#deaths.push(tell);
  }
}

/** Something that waits for its turn. */
export interface Waiting {
  /** Nobody's is what a dead process had asked of the bucket, and what was given up: it happens late. */
  readonly owner: Process | undefined;
  readonly label: string;
  /** Whether it is about a change of the bucket. */
  readonly isChange?: boolean;
  /** The change, where it has not happened yet. */
  readonly change?: () => Promise<unknown>;
  /** Milliseconds since the epoch before which it does not go on. */
  readonly notBefore?: number;
  readonly go: (fault: Fault | undefined) => unknown;
}

export class Scheduler {
  /** Milliseconds since the epoch; the real time at first, because a real bucket knows no other. */
  now = Date.now();
  #choices: Schedule = NO_CHOICES;
  #taken = 0;
  #waiting: Waiting[] = [];

  /** From now on these decide. */
  decide(choices: Schedule): void {
    this.#choices = choices;
    this.#taken = 0;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  add(waiting: Waiting): void {
    this.#waiting.push(waiting);
  }

  /** Operations without a waiting caller, which still happen. */
  addLate(label: string, change: () => Promise<unknown>): void {
    // Its response is dropped.
    const go = () => change().catch(() => undefined);
    this.add({ owner: undefined, label: `late ${label}`, go });
  }

  sleep(owner: Process, ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.add({ owner, label: `wait ${ms}`, notBefore: this.now + ms, go: () => resolve() });
    });
  }

  /** Takes what goes on next. The clock moves on where all that waits is still to come. */
  next(): Waiting | undefined {
    const ready = this.#waiting.filter(({ notBefore = 0 }) => notBefore <= this.now);
    const number = this.#choices.picks[this.#taken++] ?? 0;
    const next = ready[number % ready.length] ?? this.#waiting[0];
    if (next === undefined) return undefined;
    this.now = Math.max(this.now, next.notBefore ?? 0);
    this.#waiting = this.#waiting.filter((waiting) => waiting !== next);
    return next;
  }

  /** Takes all operations of a process, or those without a caller. */
  takeAllOf(process: Process | undefined): readonly Waiting[] {
    const taken = this.#waiting.filter(({ owner }) => owner === process);
    this.#waiting = this.#waiting.filter(({ owner }) => owner !== process);
    return taken;
  }
}
