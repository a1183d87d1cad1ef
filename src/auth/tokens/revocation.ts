// The list of revoked tokens, cached in this isolate. The catalog keeps it.

/**
 * Milliseconds for which reads use the cached list. A revoked token is refused everywhere within 60 seconds; the
 * remaining ten seconds are for the catalog's answer.
 */
export const MAX_AGE_MS = 50 * 1000;

export interface Revocations {
  /**
   * Whether a token has been revoked. `fresh`, for writes, always asks the catalog (`load`); otherwise a list that is
   * at most {@link MAX_AGE_MS} old is used. Rejects if `load` does: a token that cannot be checked is not accepted.
   */
  readonly isRevoked: (
    id: string,
    options: { readonly fresh: boolean },
    load: () => Promise<ReadonlySet<string>>,
  ) => Promise<boolean>;
}

/** One per isolate. Keeps results and no promises: that of another request may never settle (`jwks.ts`). */
export function createRevocations(now: () => number = () => Date.now()): Revocations {
  let revoked: ReadonlySet<string> = new Set();
  /** When the list was requested: it may lack later revocations. */
  let asked = Number.NEGATIVE_INFINITY;
  return {
    async isRevoked(id, { fresh }, load) {
      if (!fresh && now() - asked < MAX_AGE_MS) return revoked.has(id);
      const begun = now();
      const loaded = await load();
      // A late answer must not replace a newer list.
      if (begun >= asked) {
        revoked = loaded;
        asked = begun;
      }
      return loaded.has(id);
    },
  };
}
