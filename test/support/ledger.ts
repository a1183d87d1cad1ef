/** The promises of a cache that collects: pins, and paths that were reported as present to pushers. */
import type { Oracle } from "./oracle.ts";

export interface Moment {
  /** Milliseconds since the epoch. */
  readonly time: number;
  readonly step: number;
}

interface Deletion {
  readonly hashes: ReadonlySet<string>;
  ended: number | undefined;
}

export class Ledger {
  /** Paths that acknowledged pins hold, by name. */
  readonly #pins = new Map<string, ReadonlySet<string>>();
  /** Companions that are stored, and the path with which they go. */
  readonly companions = new Map<string, string>();
  /** Requests for a pin under way, by name; those whose client died are until the round ends. */
  readonly #pinning = new Map<string, number>();
  /** When a path was last reported as present to a pusher: the beginning of that request. */
  readonly #told = new Map<string, number>();
  readonly #retentionMs: number;
  readonly #now: () => Moment;
  readonly #deletions: Deletion[] = [];

  constructor(retentionMs: number, now: () => Moment) {
    this.#retentionMs = retentionMs;
    this.#now = now;
  }

  /** A path was reported as present to a pusher, by a request that began then. */
  told(hash: string, began: Moment): void {
    const isDeleted = this.#deletions.some(
      ({ hashes, ended }) => hashes.has(hash) && (ended === undefined || ended >= began.step),
    );
    if (!isDeleted) this.#told.set(hash, Math.max(began.time, this.#told.get(hash) ?? 0));
  }

  /** An administrator deletes these, or tries to; call the result when the request was answered. */
  deletionBegins(hashes: readonly string[]): () => void {
    const deletion: Deletion = { hashes: new Set(hashes), ended: undefined };
    this.#deletions.push(deletion);
    for (const hash of hashes) this.#told.delete(hash);
    return () => {
      deletion.ended = this.#now().step;
    };
  }

  /**
   * A pin is put or deleted. The result tells what the pin holds afterwards; until then, and where others change it at
   * the same time, nothing is promised.
   */
  pinBegins(name: string): (hashes: readonly string[]) => void {
    this.#pins.delete(name);
    const before = this.#pinning.get(name) ?? 0;
    this.#pinning.set(name, before + 1);
    return (hashes) => {
      if (before === 0 && this.#pinning.get(name) === 1) this.#pins.set(name, new Set(hashes));
    };
  }

  /** Nothing is under way any more. */
  roundEnds(): void {
    this.#pinning.clear();
  }

  /** It was collected: allowed where it is no root now. A clock that is set back later does not make it one again. */
  collected(hash: string): void {
    if (this.roots().has(hash)) throw new Error(`${hash} was collected, and is a root`);
    this.#told.delete(hash);
    for (const [key, owner] of this.companions) if (owner === hash) this.companions.delete(key);
  }

  /** Every root is served; the oracle sees to it that what is served has its closure. */
  check(oracle: Oracle): void {
    for (const hash of this.roots()) {
      if (!oracle.served.has(hash)) throw new Error(`${hash} is a root, and is not served`);
    }
  }

  roots(): Set<string> {
    const since = this.#now().time - this.#retentionMs;
    // What is over is over: a clock that is set back does not make it a promise again.
    for (const [hash, at] of this.#told) if (at <= since) this.#told.delete(hash);
    return new Set([...[...this.#pins.values()].flatMap((hashes) => [...hashes]), ...this.#told.keys()]);
  }
}
