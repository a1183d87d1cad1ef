// Minted tokens: POST, GET and DELETE /tokens, their exchange for identity tokens, and GET /whoami.
import * as v from "valibot";
import { anonymousOn } from "../auth/gate/authorize.ts";
import { refused } from "../auth/gate/identified.ts";
import { unauthorized } from "../auth/gate/identify.ts";
import { whyRevoked } from "../auth/gate/token.ts";
import { whoami } from "../auth/gate/whoami.ts";
import { type Identity, notHeld } from "../auth/grants.ts";
import { exchangeContent } from "../auth/tokens/exchange.ts";
import { checkMinter } from "../auth/tokens/mint-request.ts";
import { type MintedToken, mint, type TokenContent } from "../auth/tokens/minted.ts";
import { httpErrorOf } from "../catalog-refusals.ts";
import type { Config } from "../config/config.ts";
import type { Context } from "../context.ts";
import { listOf, named } from "../contract/schema.ts";
import {
  EXCHANGE_REQUEST,
  MAX_BY_OIDC_S,
  MINTED_TOKEN,
  TOKEN_ID,
  TOKEN_POSITION,
  TOKEN_REPORT,
  TOKEN_REQUEST,
  type TokenReport,
  WHO_AM_I,
} from "../contract/tokens.ts";
import { HttpError } from "../http/errors.ts";
import { operation } from "./operation.ts";
import { NEXT, pageOf, withCursor } from "./page.ts";

const UNCHECKED = { 503: "Whether the credential is good cannot be told now; try again." };
const NO_TOKEN = {
  404: "There is no such token, it has expired, or it may do more than the credential that asks.",
};
const TOO_MANY = { 429: "The minter has as many valid tokens as it may have." };
const MINTING_OFF = "No TOKEN_SECRET is configured";
const ONE = { path: "/tokens/{id}", permission: "admin", parameters: { id: TOKEN_ID } } as const;

export const TOKEN_OPERATIONS = [
  operation({
    id: "whoami",
    method: "GET",
    path: "/whoami",
    permission: "none",
    summary: "What a credential is worth.",
    answer: WHO_AM_I,
    errors: { 401: "A wrong credential; the detail says what is wrong with it.", ...UNCHECKED },
    handle: async ({ request, identify, config }) => {
      const caller = await identify();
      if (caller.kind === "refused") throw unauthorized(request, undefined, caller);
      return whoami(caller.kind === "known" ? caller.identity : anonymousOn(config));
    },
  }),
  operation({
    id: "mintToken",
    method: "POST",
    path: "/tokens",
    permission: "admin",
    isWrite: true,
    summary: "Mint a token. The answer is the only place where it is ever shown.",
    body: TOKEN_REQUEST,
    answer: MINTED_TOKEN,
    errors: {
      403: `${MINTING_OFF}, or the token would be worth more than the credential that asks.`,
      404: "One of the caches is not declared.",
      ...TOO_MANY,
    },
    handle: (context, { body: { name, permissions, caches, expires_in } }) => {
      const grant = { permissions: [...new Set(permissions)], caches: [...new Set(caches)] };
      const content = { name, grants: [grant], expiresIn: expires_in };
      checkMinter(content, context.identity, Date.now());
      requireDeclared(grant.caches, context.config);
      return minted(context, content, context.identity);
    },
  }),
  operation({
    id: "listTokens",
    method: "GET",
    path: "/tokens",
    permission: "admin",
    summary: "Minted tokens that have not expired, newest first.",
    description: "Those that may do no more than the credential that asks. Exchanged tokens are in no list.",
    parameters: pageOf(TOKEN_POSITION),
    answer: named("TokenPage", v.object({ tokens: listOf(TOKEN_REPORT), ...NEXT })),
    handle: async ({ tokens, identity }, { parameters: { limit, cursor: after } }) => {
      const query = { limit, within: identity.grants, ...(after && { after }) };
      return withCursor(await tokens((c) => c.tokens(query)));
    },
  }),
  operation({
    id: "exchangeToken",
    method: "POST",
    path: "/tokens/exchange",
    permission: "none",
    isWrite: true,
    summary: "Turn the identity token of a trusted issuer (OIDC) into a token of the same worth, or of less.",
    description: `For a job that outlives its identity token: an hour unless expires_in says otherwise, ${MAX_BY_OIDC_S / 3600} hours at most. Any number may be valid at once. It is revoked with its subject.`,
    body: EXCHANGE_REQUEST,
    answer: MINTED_TOKEN,
    errors: {
      401: "No credential, or a wrong one.",
      403: `${MINTING_OFF}, the credential is no identity token, or it has none of the permissions.`,
      ...UNCHECKED,
    },
    handle: async (context, { body: { expires_in, permissions } }) => {
      const need = "this needs the identity token of a trusted issuer (OIDC)";
      const caller = await context.identify();
      if (caller.kind !== "known") throw unauthorized(context.request, need, caller);
      if (caller.payload !== undefined) {
        throw new HttpError(
          400,
          "send the identity token as 'Authorization: Bearer TOKEN'; nothing is signed with it here",
        );
      }
      // A job keeps the permissions of its identity token after that expires.
      const { subject, ...content } = exchangeContent(caller.identity, expires_in, permissions);
      requireMinting(context);
      const issued = await context.tokens((c) => c.issueTime(subject));
      if (issued === undefined)
        throw unauthorized(context.request, need, refused(whyRevoked(caller.identity)));
      // No row: it ends by itself, and by its subject's revocation.
      return answerOf(content, await mint(content, await context.config.tokenKeys(), issued));
    },
  }),
  operation({
    id: "getToken",
    method: "GET",
    ...ONE,
    summary: "One token: what it may do, until when, and whether it is revoked.",
    answer: TOKEN_REPORT,
    errors: NO_TOKEN,
    handle: (context, { parameters: { id } }) => ownToken(context, id),
  }),
  operation({
    id: "revokeToken",
    method: "DELETE",
    ...ONE,
    summary: "Revoke a token and all that were minted with it.",
    description: "Writing ends at once, reading everywhere within 60 seconds.",
    answer: TOKEN_REPORT,
    errors: NO_TOKEN,
    handle: async (context, { parameters: { id } }) => {
      await ownToken(context, id);
      return context.tokens((c) => c.revokeToken(id));
    },
  }),
];

/** Throws {@link HttpError} 404 where a token would be for a cache that is not declared. A pattern may be for later ones. */
function requireDeclared(caches: readonly string[], { declaredNames, cacheName }: Config): void {
  const other = caches.find((name) => !name.includes("*") && !declaredNames.has(name));
  if (other === undefined) return;
  throw new HttpError(
    404,
    `caches: there is no cache ${other}; CACHES declares it first (this cache is called ${cacheName})`,
  );
}

/** Throws {@link HttpError} 404 for a token with more permissions than the caller, who must not learn of it. */
async function ownToken({ tokens, identity }: Context, id: string): Promise<TokenReport> {
  const token = await tokens((c) => c.token(id));
  if (token.grants.every((grant) => notHeld(grant, identity.grants) === undefined)) return token;
  throw httpErrorOf({ kind: "no-such-token" });
}

async function minted(context: Context, content: TokenContent, by: Identity) {
  requireMinting(context);
  const { config, tokens } = context;
  const token = await mint(content, await config.tokenKeys(), Date.now());
  const { name, grants } = content;
  const { id, createdAt, expiresAt } = token;
  const row = { id, name, grants, mintedBy: by.name, parent: parentOf(by), createdAt, expiresAt };
  // Recorded before the token is sent: a token that cannot be revoked must not exist.
  await tokens((c) => c.insertToken({ ...row, ...(by.subject && { subject: by.subject }) }));
  return answerOf(content, token);
}

/** The prefix keeps the issuer's ids apart from ours. */
function parentOf({ tokenId, subject, jti }: Identity): string | undefined {
  return tokenId ?? (subject && `oidc:${jti ?? `${subject.key} ${subject.issuedAt}`}`);
}

function answerOf({ name, grants }: TokenContent, { id, token, expiresAt }: MintedToken) {
  return { id, token, name, grants, expires: new Date(expiresAt).toISOString() };
}

function requireMinting({ config }: Context): void {
  if (config.mintsTokens) return;
  throw new HttpError(
    403,
    "minting is switched off: no TOKEN_SECRET is configured; set one with 'openssl rand -hex 32 | npm run wrangler -- secret put TOKEN_SECRET'",
  );
}
