/** The error of this folder: a NAR file that has no facts. `narFacts` returns it; who decodes a file catches it. */

/** `false`: the file is no NAR of its compression. `unverifiable`: it may be, but this code cannot tell. */
export type RefusalKind = "false" | "unverifiable";

export class Refusal extends Error {
  override name = "Refusal";
  readonly kind: RefusalKind;

  constructor(kind: RefusalKind, reason: string) {
    super(reason);
    this.kind = kind;
  }
}

export function isFalse(reason: string): Refusal {
  return new Refusal("false", reason);
}

export function isUnverifiable(reason: string): Refusal {
  return new Refusal("unverifiable", reason);
}
