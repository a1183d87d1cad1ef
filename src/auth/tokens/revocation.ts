// Which minted tokens have been revoked, as this isolate knows it. A token is checked without asking anybody; only this
// list is the catalog's.

/**
 * Milliseconds for which reads go by a list that is here. A revoked token is refused everywhere within 60 seconds; the
 * rest is for the answer to arrive.
 */
export const MAX_AGE_MS = 50 * 1000;

export interface Revocations {
  /**
   * Whether a token has been revoked. `fresh` asks the catalog (`load`) in any case, as writes do; otherwise a list of
   * at most {@link MAX_AGE_MS} will do. Rejects with what `load` rejects with, where there is no such list: who cannot
   * be checked is not let in.
   */
  readonly isRevoked: (
    id: string,
    options: { readonly fresh: boolean },
    load: () => Promise<ReadonlySet<string>>,
  ) => Promise<boolean>;
}

/** One for an isolate. It keeps results and no promises: another request's may never settle (`jwks.ts`). */
export function createRevocations(now: () => number = () => Date.now()): Revocations {
  let revoked: ReadonlySet<string> = new Set();
  /** When the list was asked for: what has been revoked since may be missing in it. */
  let asked = Number.NEGATIVE_INFINITY;
  return {
    async isRevoked(id, { fresh }, load) {
      if (!fresh && now() - asked < MAX_AGE_MS) return revoked.has(id);
      const begun = now();
      const loaded = await load();
      // An answer that was long under way must not take the place of a newer one.
      if (begun >= asked) {
        revoked = loaded;
        asked = begun;
      }
      return loaded.has(id);
    },
  };
}
