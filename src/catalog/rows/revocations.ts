// Revocations of tokens and subjects, which are in two tables.
import { subjectKey } from "../../auth/subject.ts";
import {
  type Credential,
  MAX_LISTED_TOKENS,
  REVOCATION_S,
  type RevocationList,
  type RevokedSubject,
} from "../../contract/revocations.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";
import { isSubjectRevoked, revokedSubjects, saveRevocation } from "./revoked-subjects.ts";
import { revokedAt, revokedIds, revokeTokensOf, type TokenContext } from "./tokens.ts";

/**
 * Revokes all tokens of a subject that were issued until now, and those that were minted with them. `issuer` is a URL,
 * or empty for every issuer. Throws Refused too-many-revoked-subjects.
 */
export function revokeSubject(
  c: TokenContext & Pick<CatalogContext, "transaction">,
  subject: string,
  issuer: string,
): RevokedSubject {
  const revokedAt = c.now();
  const expires = revokedAt + REVOCATION_S * 1000;
  const key = subjectKey(subject);
  c.transaction(() => {
    saveRevocation(c, { subject: key, issuer, revokedAt }, expires);
    revokeTokensOf(c, key, issuer);
  });
  return {
    subject: key,
    issuer: issuer === "" ? null : issuer,
    revoked: isoTime(revokedAt),
    until: isoTime(expires),
  };
}

/** Reads a row for the token and those of its subject. */
export function isRevoked(c: TokenContext, { tokenId, subject }: Credential): boolean {
  if (tokenId !== undefined && revokedAt(c, tokenId) !== null) return true;
  return subject !== undefined && isSubjectRevoked(c, subject);
}

/** The list for isolates, in memory: every write with a token asks for it. Bounded, see {@link RevocationList}. */
export class RevocationMemory {
  #list: RevocationList | undefined;

  get(c: TokenContext): RevocationList {
    this.#list ??= readList(c);
    return this.#list;
  }

  /** Call it after every revocation. */
  forget(): void {
    this.#list = undefined;
  }
}

function readList(c: TokenContext): RevocationList {
  const ids = revokedIds(c, MAX_LISTED_TOKENS + 1);
  return {
    version: crypto.randomUUID(),
    tokens: ids.slice(0, MAX_LISTED_TOKENS),
    isWhole: ids.length <= MAX_LISTED_TOKENS,
    subjects: revokedSubjects(c),
  };
}
