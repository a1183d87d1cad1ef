// The table `tokens`: minted tokens, by their ids. Only the default cache's catalog has rows. It does not contain the
// tokens, so that a leak of the table gives no access.
import { type Grant, notHeld } from "../../auth/grants.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "../../contract/tokens.ts";
import type { CatalogContext } from "../context.ts";
import { Refused } from "../refuse.ts";
import { isoTime } from "../times.ts";
import { insert } from "./insert.ts";

const COLUMNS = "id, name, grants, minted_by, created, expires, revoked";

/** The part of the context that these functions need. */
export type TokenContext = Pick<CatalogContext, "sql" | "now">;
/** Valid tokens of one name. A job needs one or two; a job that mints in a loop would use up the plan's rows. */
export const MAX_LIVE_OF_A_NAME = 100;

/**
 * Records a token before its owner gets it. Throws {@link Refused} minter-revoked, or too-many-tokens of its
 * name.
 */
export function insertToken(c: TokenContext, token: NewToken): void {
  purgeExpired(c);
  // The Worker has checked it, but it may have been revoked since.
  if (token.parent !== undefined && revokedAt(c, token.parent) !== null) {
    throw new Refused({ kind: "minter-revoked" });
  }
  const { live } = c.sql
    .exec<{ live: number }>(
      "SELECT count(*) AS live FROM tokens WHERE name = ? AND revoked IS NULL",
      token.name,
    )
    .one();
  if (live >= MAX_LIVE_OF_A_NAME) {
    throw new Refused({ kind: "too-many-tokens", name: token.name, count: live });
  }
  insert(c, "tokens", {
    id: token.id,
    name: token.name,
    grants: JSON.stringify(token.grants),
    minted_by: token.mintedBy,
    parent: token.parent ?? null,
    created: token.createdAt,
    expires: token.expiresAt,
  });
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
 * Revokes a token and all that were minted with it: a thief may have minted more. Revoking it again changes nothing. Throws {@link Refused} no-such-token.
 */
export function revokeToken(c: TokenContext, id: string): TokenReport {
  c.sql.exec(
    `WITH RECURSIVE family (id) AS (
       SELECT id FROM tokens WHERE id = ?
       UNION SELECT tokens.id FROM tokens JOIN family ON tokens.parent = family.id
     )
     UPDATE tokens SET revoked = ? WHERE revoked IS NULL AND id IN (SELECT id FROM family)`,
    id,
    c.now(),
  );
  return getToken(c, id);
}

/** The ids of revoked tokens that have not expired. */
export function revokedIds(c: TokenContext): string[] {
  return c.sql
    .exec<{ id: string }>("SELECT id FROM tokens WHERE revoked IS NOT NULL AND expires > ?", c.now())
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

/** `null` also for a token that is not in the table: the loss of a catalog must not lock all users out. */
function revokedAt(c: TokenContext, id: string): number | null {
  const rows = c.sql
    .exec<{ revoked: number | null }>("SELECT revoked FROM tokens WHERE id = ?", id)
    .toArray();
  return rows[0]?.revoked ?? null;
}
