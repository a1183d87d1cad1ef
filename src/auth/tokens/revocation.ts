// What has been revoked, as this isolate knows it. The catalog keeps it.
import type { Credential, RevocationAnswer, RevocationList } from "../../contract/revocations.ts";
import { isSubjectRevokedBy } from "../subject.ts";

/**
 * Milliseconds for which the list is used. A revoked token is refused everywhere within 60 seconds; the remaining ten
 * seconds are for the catalog's answer.
 */
export const MAX_AGE_MS = 50 * 1000;

/** Asks the catalog that keeps the revocations; `known` is the version of the list that this isolate has. */
export type AskRevoked = (credential: Credential, known: string | undefined) => Promise<RevocationAnswer>;

export interface Revocations {
  /**
   * Whether a token has been revoked. `fresh` always asks the catalog; otherwise a list that is at most
   * {@link MAX_AGE_MS} old is used. Rejects if the catalog does not answer: a token that cannot be checked is not
   * accepted.
   */
  readonly isRevoked: (
    credential: Credential,
    options: { readonly fresh: boolean },
    ask: AskRevoked,
  ) => Promise<boolean>;
}

/** One per isolate. Keeps results and no promises: that of another request may never settle (`jwks.ts`). */
export function createRevocations(now: () => number = () => Date.now()): Revocations {
  let list: RevocationList | undefined;
  let tokens: ReadonlySet<string> = new Set();
  /** When the list was requested: it may lack later revocations. */
  let asked = Number.NEGATIVE_INFINITY;

  function isListed({ tokenId, subject }: Credential): boolean {
    if (tokenId !== undefined && tokens.has(tokenId)) return true;
    return subject !== undefined && !!list?.subjects.some((each) => isSubjectRevokedBy(subject, each));
  }

  return {
    async isRevoked(credential, { fresh }, ask) {
      const isRecent = list !== undefined && now() - asked < MAX_AGE_MS;
      if (!fresh && isRecent && (list?.isWhole || isListed(credential))) return isListed(credential);
      const begun = now();
      const known = list?.version;
      const answer = await ask(credential, known);
      // A late answer must not replace a newer list, nor confirm another one than it knew.
      if (begun >= asked && (answer.list !== undefined || list?.version === known)) {
        asked = begun;
        list = answer.list ?? list;
        if (answer.list !== undefined) tokens = new Set(answer.list.tokens);
      }
      return answer.isRevoked;
    },
  };
}
