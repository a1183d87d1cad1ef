// The OpenAPI 3.1 description of the API, derived from its operations.
import * as v from "valibot";
import type { RoutePermission } from "../auth/gate/authorize.ts";
import { described, named, TEXT, wholeNumber } from "../contract/schema.ts";
import { MAX_DEPTH, MAX_VALUES } from "./input.ts";
import { type Components, type JsonSchema, jsonSchema } from "./json-schema.ts";
import { MAX_BODY_BYTES, type Operation, ROOT } from "./operation.ts";

interface Content {
  readonly [mediaType: string]: { readonly schema: JsonSchema };
}

export interface OperationObject {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly []>>[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: "query" | "path";
    readonly required: boolean;
    readonly description?: string;
    readonly schema: JsonSchema;
  }[];
  readonly requestBody?: {
    readonly description: string;
    readonly required: boolean;
    readonly content: Content;
  };
  /** By status. */
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>;
}

/** RFC 9457; `problemResponse` writes it. */
const PROBLEM = named(
  "Problem",
  described(
    "RFC 9457.",
    v.object({
      type: v.literal("about:blank"),
      title: TEXT,
      status: wholeNumber(400, 599),
      detail: described("What is wrong and what to do, in one line.", TEXT),
    }),
  ),
);

/** The security requirement of each permission. An empty requirement: nothing needs to be sent. */
const SECURITY: Record<RoutePermission, OperationObject["security"]> = {
  none: [{}, { basic: [] }, { bearer: [] }],
  pull: [{}, { basic: [] }, { bearer: [] }],
  list: [{}, { basic: [] }, { bearer: [] }],
  push: [{ basic: [] }, { bearer: [] }],
  admin: [{ basic: [] }, { bearer: [] }],
};

const UNAUTHORIZED = "No credential, or a wrong one.";
const UNAVAILABLE = { 503: "The catalog did not answer. Reading paths goes on; try again." };
/** Refusals that an operation has because of its permission. Every operation with a permission calls the catalog. */
const REFUSALS: Record<RoutePermission, Readonly<Record<number, string>>> = {
  none: {},
  pull: {
    401: `Of a private cache: ${UNAUTHORIZED}`,
    403: "Of a private cache: the credential may not read it.",
    ...UNAVAILABLE,
  },
  list: {
    401: `Unless the cache is public, and so is its listing: ${UNAUTHORIZED}`,
    403: "The credential may do nothing in this cache.",
    ...UNAVAILABLE,
  },
  push: {
    401: UNAUTHORIZED,
    403: "The credential may not push, or none is configured that may.",
    ...UNAVAILABLE,
  },
  admin: {
    401: UNAUTHORIZED,
    403: "The credential is not an administrator's, or none is configured.",
    ...UNAVAILABLE,
  },
};
const OF_PARAMETERS = { 400: "A parameter is unknown or wrong; the detail names it." };
const OF_BODY = {
  400: "A parameter or the body is malformed, or the body is nested too deeply; the detail says how.",
  413: "The body, or a list in it, is too large, or it has too many values.",
};

/** The document, as JSON; `server` is the path of the cache. */
export function openApi(operations: readonly Operation[], server: string) {
  const schemas: Components = {};
  const paths: Record<string, Record<string, OperationObject>> = {};
  for (const operation of operations) {
    const path = `${ROOT}${operation.path}`;
    const method = operation.method.toLowerCase();
    paths[path] = { ...paths[path], [method]: operationObject(operation, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "nix-cache",
      version: "1",
      description: "The native API of a Nix binary cache, beside Nix's own protocol.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: server }],
    paths,
    components: {
      schemas,
      securitySchemes: {
        basic: { type: "http", scheme: "basic", description: "The password is the token." },
        bearer: { type: "http", scheme: "bearer", description: "The token." },
      },
    },
  };
}

function operationObject(
  {
    id,
    summary,
    description,
    permission,
    path,
    parameters = {},
    body,
    answer,
    begun,
    errors,
    ...limits
  }: Operation,
  components: Components,
): OperationObject {
  const content = { "application/problem+json": { schema: jsonSchema(PROBLEM, components) } };
  const refusals = { ...REFUSALS[permission], ...(body ? OF_BODY : OF_PARAMETERS), ...errors };
  return {
    operationId: id,
    summary,
    ...(description !== undefined && { description }),
    security: SECURITY[permission],
    parameters: Object.entries(parameters).map(([name, parameter]) => {
      const { description, ...schema } = jsonSchema(parameter, components);
      const isInPath = path.includes(`{${name}}`);
      return {
        name,
        in: isInPath ? "path" : "query",
        required: isInPath || parameter.type !== "exact_optional",
        ...(description !== undefined && { description }),
        schema,
      };
    }),
    ...(body && {
      requestBody: {
        description: bodyLimits(limits),
        required: !v.is(body, {}),
        content: {
          "application/json": { schema: { ...jsonSchema(body, components), additionalProperties: false } },
        },
      },
    }),
    responses: {
      200: {
        description: "Done.",
        content: { "application/json": { schema: jsonSchema(answer, components) } },
      },
      ...(begun && {
        202: {
          description: "Begun; the header Location is the path that tells how far it is.",
          content: { "application/json": { schema: jsonSchema(begun, components) } },
        },
      }),
      ...Object.fromEntries(
        Object.entries(refusals).map(([status, description]) => [status, { description, content }]),
      ),
      default: { description: "Any other refusal.", content },
    },
  };
}

function bodyLimits({
  maxBodyBytes = MAX_BODY_BYTES,
  maxBodyValues = MAX_VALUES,
}: Partial<Operation>): string {
  return `At most ${maxBodyBytes} bytes, ${maxBodyValues} JSON values, and ${MAX_DEPTH} levels of arrays and objects.`;
}
