// The table `revoked_subjects`: subjects of identity tokens whose tokens are refused, if they were issued before. Only
// the default cache's catalog has rows.
import { isSubjectRevokedBy, type Subject, type SubjectRevocation } from "../../auth/subject.ts";
import { MAX_REVOKED_SUBJECTS } from "../../contract/revocations.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { insert } from "./insert.ts";

type Context = Pick<CatalogContext, "sql" | "now">;

/** Records a revocation, or a later one. Throws {@link Refused} too-many-revoked-subjects. */
export function saveRevocation(
  c: Context,
  { subject, issuer, revokedAt }: SubjectRevocation,
  expires: number,
): void {
  c.sql.exec("DELETE FROM revoked_subjects WHERE expires <= ?", c.now());
  const { count } = c.sql
    .exec<{ count: number }>(
      "SELECT count(*) AS count FROM revoked_subjects WHERE NOT (subject = ? AND issuer = ?)",
      subject,
      issuer,
    )
    .one();
  if (count >= MAX_REVOKED_SUBJECTS) throw new Refused({ kind: "too-many-revoked-subjects", count });
  insert(
    c,
    "revoked_subjects",
    { subject, issuer, revoked: revokedAt, expires },
    "ON CONFLICT DO UPDATE SET revoked = max(revoked, excluded.revoked), expires = max(expires, excluded.expires)",
  );
}

/** All that have not expired. */
export function revokedSubjects(c: Context): SubjectRevocation[] {
  return c.sql
    .exec<Row>("SELECT subject, issuer, revoked FROM revoked_subjects WHERE expires > ?", c.now())
    .toArray()
    .map(revocationOf);
}

export function isSubjectRevoked(c: Context, subject: Subject): boolean {
  return revocationsOf(c, subject).some((revocation) => isSubjectRevokedBy(subject, revocation));
}

/**
 * When a token for this identity token is issued: now, and after the last revocation of its subject. `undefined` if the
 * identity token itself was issued before.
 */
export function issueTime(c: Context, subject: Subject): number | undefined {
  if (isSubjectRevoked(c, subject)) return undefined;
  return Math.max(c.now(), ...revocationsOf(c, subject).map(({ revokedAt }) => revokedAt + 1));
}

function revocationsOf(c: Context, { key }: Subject): SubjectRevocation[] {
  return c.sql
    .exec<Row>(
      "SELECT subject, issuer, revoked FROM revoked_subjects WHERE subject = ? AND expires > ?",
      key,
      c.now(),
    )
    .toArray()
    .map(revocationOf);
}

type Row = { subject: string; issuer: string; revoked: number };

function revocationOf({ subject, issuer, revoked }: Row): SubjectRevocation {
  return { subject, issuer, revokedAt: revoked };
}
