// The tokens table: which tokens were minted, by whom, and which of them are revoked. Only the default cache's catalog
// has rows. No token is in here, only its id: with the whole table nobody can get in.
import { type Grant, notHeld } from "../../auth/grants.ts";
import type { NewToken, TokenPage, TokenQuery, TokenReport } from "../../contract/tokens.ts";
import { HttpError } from "../../http/errors.ts";
import type { CatalogContext } from "../context.ts";
import { isoTime } from "../times.ts";

/**
 * A migration of the catalog. Times are milliseconds since the epoch. `grants` is JSON. `minted_by` is a name,
 * `parent` the id of the minted token that it was minted with, if it was.
 */
export const TOKENS_TABLE = `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    grants TEXT NOT NULL,
    minted_by TEXT NOT NULL,
    parent TEXT,
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    revoked INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tokens_by_expiry ON tokens (expires);
  CREATE INDEX tokens_by_parent ON tokens (parent) WHERE parent IS NOT NULL;
`;

/** What these need of the catalog. */
export type TokenContext = Pick<CatalogContext, "sql" | "now">;
/** A job exchanges its token once or twice; one that does it in a loop would use up the rows of the plan for all. */
export const MAX_LIVE_OF_A_NAME = 100;

/**
 * Notes a token before its owner gets it. Throws {@link HttpError} 403 if the one it is minted with is revoked, 429
 * where too many of its name are good already.
 */
export function insertToken(c: TokenContext, token: NewToken): void {
  purgeExpired(c);
  // Whoever asked was checked before, but the revocation may have come in between.
  if (token.parent !== undefined && revokedAt(c, token.parent) !== null) {
    throw new HttpError(403, "the token to mint with has been revoked");
  }
  const { live } = c.sql
    .exec<{ live: number }>(
      "SELECT count(*) AS live FROM tokens WHERE name = ? AND revoked IS NULL",
      token.name,
    )
    .one();
  if (live >= MAX_LIVE_OF_A_NAME) {
    throw new HttpError(
      429,
      `${live} tokens of the name ${token.name} are good already: use one of them, revoke some, or wait until they expire`,
      { "Retry-After": "60" },
    );
  }
  c.sql.exec(
    "INSERT INTO tokens (id, name, grants, minted_by, parent, created, expires) VALUES (?, ?, ?, ?, ?, ?, ?)",
    token.id,
    token.name,
    JSON.stringify(token.grants),
    token.mintedBy,
    token.parent ?? null,
    token.createdAt,
    token.expiresAt,
  );
}

/** Those that have not expired, newest first; revoked ones, too. */
export function listTokens(c: TokenContext, { limit, after, within }: TokenQuery): TokenPage {
  const rows = c.sql.exec<Row>(
    `SELECT id, name, grants, minted_by, created, expires, revoked FROM tokens
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

/** Throws {@link HttpError} 404. */
export function getToken(c: TokenContext, id: string): TokenReport {
  const row = c.sql.exec<Row>("SELECT * FROM tokens WHERE id = ? AND expires > ?", id, c.now()).toArray()[0];
  if (row === undefined) throw noSuchToken();
  return reportOf(row);
}

/**
 * Revokes a token and all that were minted with it: who stole it may have minted more. The second time changes
 * nothing. Throws {@link HttpError} 404.
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

/** The ids of revoked tokens that would else be good. */
export function revokedIds(c: TokenContext): string[] {
  return c.sql
    .exec<{ id: string }>("SELECT id FROM tokens WHERE revoked IS NOT NULL AND expires > ?", c.now())
    .toArray()
    .map(({ id }) => id);
}

/** Forgets tokens that are good for nothing any more: revoked or not, their signature says that they are over. */
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

/** `null` also for a token that is not in the table: a catalog that was lost must not lock everybody out. */
function revokedAt(c: TokenContext, id: string): number | null {
  const rows = c.sql
    .exec<{ revoked: number | null }>("SELECT revoked FROM tokens WHERE id = ?", id)
    .toArray();
  return rows[0]?.revoked ?? null;
}

function noSuchToken(): HttpError {
  return new HttpError(404, "there is no such token, or it has expired; GET /api/v1/tokens lists them");
}
