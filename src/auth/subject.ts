// The subject of an identity token, by which all of its tokens are revoked at once.

/** The subject of an identity token, or of the one that a token was exchanged for. */
export interface Subject {
  /** See {@link subjectKey}. */
  readonly key: string;
  /** The URL of its issuer; absent from tokens that an older version has issued. */
  readonly issuer?: string;
  /** Milliseconds since the epoch, the latest possible: an issuer's times are whole seconds. */
  readonly issuedAt: number;
}

/** Revokes all tokens of a subject that were issued until then. */
export interface SubjectRevocation {
  /** See {@link subjectKey}. */
  readonly subject: string;
  /** The URL; empty for every issuer. */
  readonly issuer: string;
  /** Milliseconds since the epoch. */
  readonly revokedAt: number;
}

/** Characters. It must fit into the name of a minted token, behind its prefix. */
const MAX_KEY_LENGTH = 123;

/**
 * The form in which subjects are compared: that of "pushed by", with or without its prefixes, so that the subject can be
 * copied from there. Of two subjects that differ in other characters only, both are revoked, which is harmless.
 */
export function subjectKey(text: string): string {
  return text
    .replace(/^(?:token:|oidc:)+(?=.)/, "")
    .replace(/[^A-Za-z0-9._:/@+-]/g, "_")
    .slice(0, MAX_KEY_LENGTH);
}

export function isSubjectRevokedBy(
  { key, issuer, issuedAt }: Subject,
  revocation: SubjectRevocation,
): boolean {
  if (key !== revocation.subject || issuedAt > revocation.revokedAt) return false;
  return issuer === undefined || revocation.issuer === "" || issuer === revocation.issuer;
}
