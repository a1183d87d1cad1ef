// Minted tokens: POST, GET and DELETE /tokens, their exchange for identity tokens, and GET /whoami.
import { ANONYMOUS } from "../auth/gate/authorize.ts";
import { unauthorized } from "../auth/gate/identify.ts";
import { whoami } from "../auth/gate/whoami.ts";
import { type Identity, notHeld } from "../auth/grants.ts";
import { parseExchange } from "../auth/tokens/exchange.ts";
import { checkMinter, parseMintRequest } from "../auth/tokens/mint-request.ts";
import { mint, type TokenContent } from "../auth/tokens/minted.ts";
import type { Context } from "../context.ts";
import type { TokenReport } from "../contract/tokens.ts";
import { decodeUtf8, readBody } from "../http/body.ts";
import { HttpError } from "../http/errors.ts";
import { json } from "./json.ts";
import { refuseParameters } from "./parameters.ts";

const MAX_BODY_BYTES = 16 * 1024;

export async function getWhoAmI({ request, identify }: Context): Promise<Response> {
  refuseParameters(request);
  const asker = await identify();
  if (asker.kind === "refused") throw unauthorized("this tells what a credential is worth", asker);
  return json(request, whoami(asker.kind === "known" ? asker.identity : ANONYMOUS));
}

export async function postToken(context: Context): Promise<Response> {
  const content = parseMintRequest(await bodyOf(context));
  checkMinter(content, context.identity, Date.now());
  return minted(context, content, context.identity);
}

/** What an identity token may do, a job may go on doing after it has ended. */
export async function postExchange(context: Context): Promise<Response> {
  const asker = await context.identify();
  if (asker.kind !== "known")
    throw unauthorized("this needs the identity token of a trusted issuer (OIDC)", asker);
  if (asker.payload !== undefined) {
    throw new HttpError(
      400,
      "send the identity token as 'Authorization: Bearer TOKEN'; nothing is signed with it here",
    );
  }
  return minted(context, parseExchange(await bodyOf(context), asker.identity), asker.identity);
}

export async function getTokens({ request, tokens, identity }: Context): Promise<Response> {
  refuseParameters(request);
  const all = await tokens((c) => c.tokens());
  return json(request, { tokens: all.filter((token) => isWithin(token, identity)) });
}

export async function getToken(context: Context): Promise<Response> {
  return json(context.request, await ownToken(context));
}

export async function deleteToken(context: Context): Promise<Response> {
  const { id } = await ownToken(context);
  return json(context.request, await context.tokens((c) => c.revokeToken(id)));
}

/** Throws {@link HttpError} 404 for one that may do more than who asks: to them it is not there. */
async function ownToken({ request, path, tokens, identity }: Context): Promise<TokenReport> {
  refuseParameters(request);
  const id = path.slice(path.lastIndexOf("/") + 1);
  const token = await tokens((c) => c.token(id));
  if (isWithin(token, identity)) return token;
  throw new HttpError(404, "there is no such token, or it has expired; GET /api/v1/tokens lists them");
}

function isWithin({ grants }: TokenReport, { grants: held }: Identity): boolean {
  return grants.every((grant) => notHeld(grant, held) === undefined);
}

async function minted(context: Context, content: TokenContent, by: Identity): Promise<Response> {
  const { config, tokens } = context;
  if (!config.mintsTokens) {
    throw new HttpError(
      403,
      "minting is switched off: no TOKEN_SECRET is configured; set one with 'openssl rand -hex 32 | npx wrangler secret put TOKEN_SECRET'",
    );
  }
  const { id, token, createdAt, expiresAt } = await mint(content, await config.tokenKeys(), Date.now());
  const { name, grants } = content;
  // Before it is given away: a token that nobody could revoke must not exist.
  const row = { id, name, grants, mintedBy: by.name, parent: by.tokenId, createdAt, expiresAt };
  await tokens((c) => c.insertToken(row));
  const expires = new Date(expiresAt).toISOString();
  return json(context.request, { id, token, name, grants, expires });
}

async function bodyOf({ request }: Context): Promise<string> {
  refuseParameters(request);
  return decodeUtf8(await readBody(request, MAX_BODY_BYTES));
}
