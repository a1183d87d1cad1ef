// The OpenAPI 3.1 description of the API. What it says of permissions, refusals and shapes is tested against the
// route table and against real answers.
import { PIN_NAME_CLASS } from "../contract/pins.ts";
import { MAX_PATHS } from "./missing.ts";
import { type OpenApi, operation, type Parameter, ref } from "./openapi-operation.ts";
import { HASH_PART, SCHEMAS, type Schema } from "./openapi-schemas.ts";
import { TOKEN_PATHS } from "./openapi-tokens.ts";
import { DEFAULT_LIMIT, MAX_LIMIT, MAX_NAME_LENGTH } from "./paths.ts";

const BAD_PARAMETER = { 400: "A parameter is unknown or wrong; the detail names it." };
const UNAVAILABLE = { 503: "The catalog did not answer. Reading paths goes on; try again." };

function query(name: string, description: string, schema: Schema): Parameter {
  return { name, in: "query", required: false, description, schema };
}

const HASH: Parameter = { name: "hash", in: "path", required: true, schema: HASH_PART };
const RESTART = query("restart", "Begin again although one is under way.", { type: "boolean" });
const NAME: Parameter = {
  name: "name",
  in: "path",
  required: true,
  schema: { type: "string", pattern: `^${PIN_NAME_CLASS}$`, description: "The name of a pin." },
};
const NO_PIN = "There is no such pin.";
const NO_PATH = "The catalog knows no such path.";
const NO_RUN = "None has been asked for yet.";
const STEPWISE =
  "Does one step and answers how far it is; the other steps follow by themselves. Asked again while it goes on, it does the next one.";

export const OPENAPI: OpenApi = {
  openapi: "3.1.0",
  info: {
    title: "nix-cache",
    version: "1",
    description:
      "The native API of a Nix binary cache, beside the protocol that Nix itself speaks. A credential is a token, sent as Bearer or as the password of Basic with any user name.",
    license: { name: "MIT", identifier: "MIT" },
  },
  servers: [{ url: "/" }],
  paths: {
    "/api/v1/missing": {
      post: operation({
        id: "missing",
        summary: "Which of these paths are not in the cache?",
        permission: "pull",
        body: ref("MissingRequest"),
        answer: ref("Missing"),
        errors: {
          400: "The body is malformed, or one of the paths is; the detail names it.",
          413: `More than ${MAX_PATHS} paths, or a body that is too large.`,
          ...UNAVAILABLE,
        },
      }),
    },
    "/api/v1/paths": {
      get: operation({
        id: "listPaths",
        summary: "Search the paths, newest first.",
        permission: "pull",
        parameters: [
          query("prefix", "What the name begins with.", { type: "string", maxLength: MAX_NAME_LENGTH }),
          query("q", "What the name contains, in capitals or not.", {
            type: "string",
            maxLength: MAX_NAME_LENGTH,
          }),
          query("limit", "Paths in one page.", {
            type: "integer",
            minimum: 1,
            maximum: MAX_LIMIT,
            default: DEFAULT_LIMIT,
          }),
          query("cursor", "The `next` of the page before.", { type: "string" }),
        ],
        answer: ref("PathPage"),
        errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
      }),
    },
    "/api/v1/paths/{hash}": {
      get: operation({
        id: "getPath",
        summary: "Everything about one path.",
        permission: "pull",
        parameters: [HASH],
        answer: ref("PathDetail"),
        errors: { ...BAD_PARAMETER, 404: NO_PATH, ...UNAVAILABLE },
      }),
      delete: operation({
        id: "deletePath",
        summary: "Delete a path.",
        description:
          "Its NAR follows a day later, unless something refers to it by then. After a 503 repeat it: what has been deleted until then leaves every closure whole.",
        permission: "admin",
        parameters: [
          HASH,
          query("closure", "`referrers`: delete all that refers to it, directly or not, too.", {
            type: "string",
            enum: ["referrers"],
          }),
        ],
        answer: ref("Deleted"),
        errors: {
          ...BAD_PARAMETER,
          404: NO_PATH,
          409: "Other paths refer to it, or pins keep it; the detail names them.",
          ...UNAVAILABLE,
        },
      }),
    },
    "/api/v1/stats": {
      get: operation({
        id: "stats",
        summary: "What is in the cache, in numbers.",
        permission: "pull",
        answer: ref("Stats"),
        errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
      }),
    },
    "/api/v1/reindex": {
      post: operation({
        id: "reindex",
        summary: "Rebuild the catalog from the bucket.",
        description: STEPWISE,
        permission: "admin",
        parameters: [RESTART],
        answer: ref("ReindexReport"),
        errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
      }),
      get: operation({
        id: "reindexStatus",
        summary: "How the last reindex went, or how far it is.",
        permission: "admin",
        answer: ref("ReindexReport"),
        errors: { ...BAD_PARAMETER, 404: NO_RUN, ...UNAVAILABLE },
      }),
    },
    "/api/v1/check": {
      post: operation({
        id: "check",
        summary: "Look for damage in the bucket and the catalog.",
        description: STEPWISE,
        permission: "admin",
        parameters: [query("repair", "Repair what is safe to repair.", { type: "boolean" }), RESTART],
        answer: ref("CheckReport"),
        errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
      }),
      get: operation({
        id: "checkStatus",
        summary: "What the last check found, or has found so far.",
        permission: "admin",
        answer: ref("CheckReport"),
        errors: { ...BAD_PARAMETER, 404: NO_RUN, ...UNAVAILABLE },
      }),
    },
    "/api/v1/resign": {
      post: operation({
        id: "resign",
        summary: "Sign all paths with the keys that are configured now.",
        description: `After SIGNING_KEY has changed. Signatures by other keys stay, unless drop names the key. ${STEPWISE}`,
        permission: "admin",
        parameters: [
          query("drop", "Remove the signatures of the key of this name.", { type: "string" }),
          RESTART,
        ],
        answer: ref("ResignReport"),
        errors: {
          ...BAD_PARAMETER,
          409: "No key is configured, or the one to drop is.",
          ...UNAVAILABLE,
        },
      }),
      get: operation({
        id: "resignStatus",
        summary: "What the last resign did, or has done so far.",
        permission: "admin",
        answer: ref("ResignReport"),
        errors: { ...BAD_PARAMETER, 404: NO_RUN, ...UNAVAILABLE },
      }),
    },
    ...TOKEN_PATHS,
    "/api/v1/pins": {
      get: operation({
        id: "listPins",
        summary: "All pins, by name.",
        permission: "pull",
        answer: ref("Pins"),
        errors: { ...BAD_PARAMETER, ...UNAVAILABLE },
      }),
    },
    "/api/v1/pins/{name}": {
      get: operation({
        id: "getPin",
        summary: "The newest store path of a pin, and the others that it keeps.",
        permission: "pull",
        parameters: [NAME],
        answer: ref("Pin"),
        errors: { ...BAD_PARAMETER, 404: NO_PIN, ...UNAVAILABLE },
      }),
      put: operation({
        id: "putPin",
        summary: "Pin a path: it and all that it refers to stay.",
        description:
          "The path becomes the newest revision of the pin, which always stays; older ones stay as keep_revisions and keep_days say.",
        permission: "push",
        parameters: [NAME],
        body: ref("PinRequest"),
        answer: ref("Pin"),
        errors: {
          400: "A parameter or the body is malformed; the detail says how.",
          409: "The path is not in the cache.",
          ...UNAVAILABLE,
        },
      }),
      delete: operation({
        id: "deletePin",
        summary: "Delete a pin with all of its revisions.",
        description: "The paths stay until they are too old, or until nothing else keeps them.",
        permission: "push",
        parameters: [NAME],
        answer: ref("DeletedPin"),
        errors: { ...BAD_PARAMETER, 404: NO_PIN, ...UNAVAILABLE },
      }),
    },
    "/api/v1/gc": {
      post: operation({
        id: "gc",
        summary: "Collect what nothing keeps.",
        description: `${STEPWISE} A run that would remove more than half of the cache stops, unless it is told to go on with force.`,
        permission: "admin",
        body: ref("GcRequest"),
        isBodyOptional: true,
        answer: ref("GcReport"),
        errors: {
          400: "A parameter or the body is malformed; the detail says how.",
          409: "A dry run, while a collection is under way.",
          ...UNAVAILABLE,
        },
      }),
      get: operation({
        id: "gcStatus",
        summary: "What the last collection did, or has done so far.",
        permission: "admin",
        answer: ref("GcReport"),
        errors: { ...BAD_PARAMETER, 404: NO_RUN, ...UNAVAILABLE },
      }),
    },
    "/api/v1/openapi.json": {
      get: operation({
        id: "openapi",
        summary: "This document.",
        permission: "none",
        answer: { type: "object" },
        errors: {},
      }),
    },
  },
  components: {
    schemas: SCHEMAS,
    securitySchemes: {
      basic: { type: "http", scheme: "basic", description: "The password is the token." },
      bearer: { type: "http", scheme: "bearer", description: "The token." },
    },
  },
};
