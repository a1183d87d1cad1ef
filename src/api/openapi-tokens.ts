// The operations on tokens, for the OpenAPI description.
import { MAX_EXCHANGE_S } from "../auth/tokens/exchange.ts";
import { type OpenApi, operation, type Parameter, ref } from "./openapi-operation.ts";

const BAD_PARAMETER = { 400: "A parameter is unknown or wrong; the detail names it." };
const BAD_REQUEST = { 400: "A parameter or the body is malformed; the detail says how." };
const UNAVAILABLE = { 503: "The catalog did not answer. Reading paths goes on; try again." };
const UNCHECKED = { 503: "Whether the credential is good cannot be told now; try again." };
const NO_TOKEN = "There is no such token, it has expired, or it may do more than the credential that asks.";
const TOO_MANY = { 429: "There are as many good tokens of this name as there may be." };
const MINTING_OFF = "No TOKEN_SECRET is configured";

const ID: Parameter = {
  name: "id",
  in: "path",
  required: true,
  schema: { type: "string", pattern: "^[A-Za-z0-9_-]{22}$", description: "The id of a token." },
};

export const TOKEN_PATHS: OpenApi["paths"] = {
  "/api/v1/whoami": {
    get: operation({
      id: "whoami",
      summary: "What a credential is worth.",
      permission: "none",
      answer: ref("WhoAmI"),
      errors: {
        ...BAD_PARAMETER,
        401: "A wrong credential; the detail says what is wrong with it.",
        ...UNCHECKED,
      },
    }),
  },
  "/api/v1/tokens": {
    post: operation({
      id: "mintToken",
      summary: "Mint a token. The answer is the only place where it is ever shown.",
      permission: "admin",
      body: ref("TokenRequest"),
      answer: ref("MintedToken"),
      errors: {
        ...BAD_REQUEST,
        403: `${MINTING_OFF}, or the token would be worth more than the credential that asks.`,
        ...TOO_MANY,
        ...UNAVAILABLE,
      },
    }),
    get: operation({
      id: "listTokens",
      summary: "Minted tokens that have not expired, newest first.",
      permission: "admin",
      answer: ref("Tokens"),
      errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
    }),
  },
  "/api/v1/tokens/exchange": {
    post: operation({
      id: "exchangeToken",
      summary: "Turn the identity token of a trusted issuer (OIDC) into a token of the same worth.",
      description: `For a job that outlives its identity token: an hour unless expires_in says otherwise, ${MAX_EXCHANGE_S / 3600} hours at most.`,
      permission: "none",
      body: ref("ExchangeRequest"),
      isBodyOptional: true,
      answer: ref("MintedToken"),
      errors: {
        ...BAD_REQUEST,
        401: "No credential, or a wrong one.",
        403: `${MINTING_OFF}, or the credential is no identity token.`,
        ...TOO_MANY,
        ...UNCHECKED,
      },
    }),
  },
  "/api/v1/tokens/{id}": {
    get: operation({
      id: "getToken",
      summary: "One token: what it may do, until when, and whether it is revoked.",
      permission: "admin",
      parameters: [ID],
      answer: ref("Token"),
      errors: { ...BAD_PARAMETER, 404: NO_TOKEN, ...UNAVAILABLE },
    }),
    delete: operation({
      id: "revokeToken",
      summary: "Revoke a token and all that were minted with it.",
      description: "Writing ends at once, reading everywhere within 60 seconds.",
      permission: "admin",
      parameters: [ID],
      answer: ref("Token"),
      errors: { ...BAD_PARAMETER, 404: NO_TOKEN, ...UNAVAILABLE },
    }),
  },
};
