// What has been revoked, as this isolate knows it. The catalog keeps it.
import type { Credential, RevocationList } from "../../contract/revocations.ts";
import { isSubjectRevokedBy } from "../subject.ts";

/**
 * Milliseconds for which the list is used. A revoked token is refused everywhere within 60 seconds; the remaining ten
 * seconds are for the catalog's answer.
 */
export const MAX_AGE_MS = 50 * 1000;

/** Ids of tokens that the catalog called revoked, and that its list may lack. */
const MAX_LEARNT = 1000;

/** The catalog that keeps the revocations. */
export interface RevocationSource {
  readonly list: () => Promise<RevocationList>;
  readonly isRevoked: (credential: Credential) => Promise<boolean>;
}

export interface Revocations {
  /**
   * Whether a token has been revoked. `fresh` always asks the catalog, for this token; otherwise a list that is at most
   * {@link MAX_AGE_MS} old is used. Rejects if the catalog does not answer: a token that cannot be checked is not
   * accepted.
   */
  readonly isRevoked: (
    credential: Credential,
    options: { readonly fresh: boolean },
    source: RevocationSource,
  ) => Promise<boolean>;
}

/** One per isolate. Keeps results and no promises: that of another request may never settle (`jwks.ts`). */
export function createRevocations(now: () => number = () => Date.now()): Revocations {
  let list: RevocationList = { tokens: [], isWhole: true, subjects: [] };
  let ids: ReadonlySet<string> = new Set();
  const learnt = new Set<string>();
  /** When the list was requested: it may lack later revocations. */
  let asked = Number.NEGATIVE_INFINITY;

  async function load(source: RevocationSource): Promise<void> {
    const begun = now();
    const loaded = await source.list();
    // A late answer must not replace a newer list.
    if (begun < asked) return;
    list = loaded;
    ids = new Set(loaded.tokens);
    asked = begun;
  }

  async function ask(credential: Credential, source: RevocationSource): Promise<boolean> {
    const isRevoked = await source.isRevoked(credential);
    if (isRevoked && credential.tokenId !== undefined) {
      if (learnt.size >= MAX_LEARNT) learnt.clear();
      learnt.add(credential.tokenId);
    }
    return isRevoked;
  }

  return {
    async isRevoked(credential, { fresh }, source) {
      const { tokenId, subject } = credential;
      if (fresh) return ask(credential, source);
      if (tokenId !== undefined && learnt.has(tokenId)) return true;
      if (now() - asked >= MAX_AGE_MS) await load(source);
      if (tokenId !== undefined && ids.has(tokenId)) return true;
      if (subject !== undefined && list.subjects.some((each) => isSubjectRevokedBy(subject, each)))
        return true;
      return tokenId !== undefined && !list.isWhole ? ask(credential, source) : false;
    },
  };
}
