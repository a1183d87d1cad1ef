// The figures of a catalog in memory. Writing them with every change would be one row more for each push, so they are
// saved from time to time; until then a mark in the table says that the saved ones are not exact. After a crash the mark
// is still there, and everything is counted again, in steps.
import {
  addNar,
  addPath,
  type Figures,
  type NarFigure,
  noFigures,
  type PathFigure,
  removePath,
} from "./figures.ts";

/** A row before and after a change; `undefined` where there is none. */
export type Change =
  | { readonly kind: "path"; readonly before: PathFigure | undefined; readonly after: PathFigure | undefined }
  | { readonly kind: "nar"; readonly before: NarFigure | undefined; readonly after: NarFigure | undefined };

/** Counting everything again. Rows after `cursor` are still to be counted. */
export interface Recount {
  phase: "paths" | "nars";
  /** A hash, or the key of a NAR. */
  cursor: string;
  readonly figures: Figures;
}

/** As it was saved, with what has changed since. */
export interface Kept {
  /** The last exact figures; `undefined` where there have been none. */
  figures: Figures | undefined;
  /** When these were exact, in milliseconds since the epoch. Of no meaning while they are kept exact. */
  countedAt: number;
  /** Whether they are exact now. */
  isExact: boolean;
  /** When the mark was set, in milliseconds since the epoch; `undefined` where what is saved is exact. */
  markedAt: number | undefined;
  recount: Recount | undefined;
}

export class Tally {
  /** `undefined` until it is read from the table. */
  kept: Kept | undefined;
  /** Where the figures are saved. That is no cost of the operation that happens to be the first to change them. */
  readonly sql: SqlStorage;
  /** Whether a row of `publications` says, as a mark would, that the saved figures are not exact any more. */
  isCovered = false;
  #changes: Change[] = [];
  #depth = 0;

  constructor(sql: SqlStorage) {
    this.sql = sql;
  }

  /** Forgets the changes of a transaction that is rolled back. */
  transaction<T>(run: () => T): T {
    const { length } = this.#changes;
    const markedAt = this.kept?.markedAt;
    this.#depth++;
    try {
      return run();
    } catch (error) {
      this.#changes.length = length;
      if (this.kept !== undefined) this.kept.markedAt = markedAt;
      throw error;
    } finally {
      this.#depth--;
      if (this.#depth === 0) this.#apply();
    }
  }

  /** Runs what writes the rows of a publication that is not settled before the figures are marked. */
  covered<T>(run: () => T): T {
    this.isCovered = true;
    try {
      return run();
    } finally {
      this.isCovered = false;
    }
  }

  /** Call it in the turn of the change, when {@link kept} is there. */
  note(change: Change): void {
    this.#changes.push(change);
    if (this.#depth === 0) this.#apply();
  }

  #apply(): void {
    const { kept } = this;
    for (const change of this.#changes.splice(0)) {
      if (kept?.isExact && kept.figures) apply(kept.figures, change);
      else if (kept?.recount && isCounted(kept.recount, change)) apply(kept.recount.figures, change);
    }
  }
}

export function emptyRecount(): Recount {
  return { phase: "paths", cursor: "", figures: noFigures() };
}

/** Whether the recount has come past the row of a change. */
function isCounted({ phase, cursor }: Recount, { kind, before, after }: Change): boolean {
  if (kind === "path") return phase === "nars" || (before?.hash ?? after?.hash ?? "") <= cursor;
  return phase === "nars" && (before?.key ?? after?.key ?? "") <= cursor;
}

function apply(figures: Figures, change: Change): void {
  if (change.kind === "path") {
    if (change.before) removePath(figures, change.before);
    if (change.after) addPath(figures, change.after);
  } else {
    if (change.before) addNar(figures, change.before, -1);
    if (change.after) addNar(figures, change.after);
  }
}
