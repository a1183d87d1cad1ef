// The table `tokens`: minted tokens, by their ids. Only the default cache's catalog has rows. It does not contain the
// tokens, so that a leak of the table gives no access.
import { type Grant, notHeld } from "../../auth/grants.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "../../contract/tokens.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { isoTime } from "../times.ts";
import { insert } from "./insert.ts";
import { isSubjectRevoked } from "./revoked-subjects.ts";

const COLUMNS = "id, name, grants, minted_by, created, expires, revoked";

/** The part of the context that these functions need. */
export type TokenContext = Pick<CatalogContext, "sql" | "now">;
/**
 * Valid tokens that one token has minted, or of one name by ADMIN_TOKEN. A job needs one or two; a job that
 * mints in a loop would use up the plan's rows, and must not use up the tokens of other jobs.
 */
export const MAX_LIVE_OF_A_NAME = 100;

/**
 * Records a token before its owner gets it. Throws {@link Refused} minter-revoked, or too-many-tokens of its
 * minter.
 */
export function insertToken(c: TokenContext, token: NewToken): void {
  purgeExpired(c);
  const { parent, subject } = token;
  // The Worker has checked it, but it may have been revoked since.
  if (parent !== undefined && revokedAt(c, parent) !== null) throw new Refused({ kind: "minter-revoked" });
  if (subject !== undefined && isSubjectRevoked(c, subject)) throw new Refused({ kind: "minter-revoked" });
  const live = liveOf(c, token);
  if (live >= MAX_LIVE_OF_A_NAME) {
    throw new Refused({ kind: "too-many-tokens", name: token.name, count: live });
  }
  insert(c, "tokens", {
    id: token.id,
    name: token.name,
    grants: JSON.stringify(token.grants),
    minted_by: token.mintedBy,
    parent: parent ?? null,
    created: token.createdAt,
    expires: token.expiresAt,
    subject: subject?.key ?? null,
    issuer: subject?.issuer ?? null,
  });
}

function liveOf({ sql }: TokenContext, { parent, name }: NewToken): number {
  const rows =
    parent === undefined
      ? sql.exec<{ live: number }>(
          "SELECT count(*) AS live FROM tokens WHERE parent IS NULL AND name = ? AND revoked IS NULL",
          name,
        )
      : sql.exec<{ live: number }>(
          "SELECT count(*) AS live FROM tokens WHERE parent = ? AND revoked IS NULL",
          parent,
        );
  return rows.one().live;
}

/** Those that have not expired, newest first; revoked ones, too. */
export function listTokens(c: TokenContext, { limit, after, within }: TokenQuery): TokenPage {
  const rows = c.sql.exec<Row>(
    `SELECT ${COLUMNS} FROM tokens
     WHERE expires > ?1 AND (created < ?2 OR (created = ?2 AND id > ?3)) ORDER BY created DESC, id`,
    c.now(),
    after?.created ?? Number.MAX_SAFE_INTEGER,
    after?.id ?? "",
  );
  const shown: Row[] = [];
  for (const row of rows) {
    const last = shown.at(-1);
    if (!grantsOf(row).every((grant) => notHeld(grant, within) === undefined)) continue;
    if (last !== undefined && shown.length === limit) {
      return { tokens: shown.map(reportOf), next: { created: last.created, id: last.id } };
    }
    shown.push(row);
  }
  return { tokens: shown.map(reportOf) };
}

/** Throws {@link Refused} no-such-token. */
export function getToken(c: TokenContext, id: string): TokenReport {
  const row = c.sql
    .exec<Row>(`SELECT ${COLUMNS} FROM tokens WHERE id = ? AND expires > ?`, id, c.now())
    .toArray()[0];
  if (row === undefined) throw new Refused({ kind: "no-such-token" });
  return reportOf(row);
}

/**
 * Revokes a token and all that were minted with it: a thief may have minted more. Revoking it again changes nothing.
 * Throws {@link Refused} no-such-token.
 */
export function revokeToken(c: TokenContext, id: string): TokenReport {
  revokeFamilies(c, "id = ?", id);
  return getToken(c, id);
}

/** Revokes the tokens that the tokens of a subject have minted. `issuer` is empty for every issuer. */
export function revokeTokensOf(c: TokenContext, subject: string, issuer: string): void {
  revokeFamilies(c, "subject = ? AND ? IN ('', issuer)", subject, issuer);
}

function revokeFamilies({ sql, now }: TokenContext, condition: string, ...values: string[]): void {
  sql.exec(
    `WITH RECURSIVE family (id) AS (
       SELECT id FROM tokens WHERE ${condition}
       UNION SELECT tokens.id FROM tokens JOIN family ON tokens.parent = family.id
     )
     UPDATE tokens SET revoked = ? WHERE revoked IS NULL AND id IN (SELECT id FROM family)`,
    ...values,
    now(),
  );
}

/** The ids of revoked tokens that have not expired, the last revoked first, at most `limit`; -1: all. */
export function revokedIds(c: TokenContext, limit = -1): string[] {
  return c.sql
    .exec<{ id: string }>(
      `SELECT id FROM tokens WHERE revoked IS NOT NULL AND expires > ? ORDER BY revoked DESC LIMIT ?`,
      c.now(),
      limit,
    )
    .toArray()
    .map(({ id }) => id);
}

/** Deletes expired tokens, revoked or not: the token itself says when it expires. */
export function purgeExpired(c: TokenContext): void {
  c.sql.exec("DELETE FROM tokens WHERE expires <= ?", c.now());
}

type Row = {
  id: string;
  name: string;
  grants: string;
  minted_by: string;
  created: number;
  expires: number;
  revoked: number | null;
};

function grantsOf({ grants }: Row): Grant[] {
  return JSON.parse(grants) as Grant[];
}

function reportOf(row: Row): TokenReport {
  const { id, name, minted_by, created, expires, revoked } = row;
  return {
    id,
    name,
    grants: grantsOf(row),
    minted_by,
    created: isoTime(created),
    expires: isoTime(expires),
    ...(revoked !== null && { revoked: isoTime(revoked) }),
  };
}

/** `null` also for a token that is not in the table: an exchanged one, or one that a catalog has lost. */
export function revokedAt(c: TokenContext, id: string): number | null {
  const rows = c.sql
    .exec<{ revoked: number | null }>("SELECT revoked FROM tokens WHERE id = ?", id)
    .toArray();
  return rows[0]?.revoked ?? null;
}
