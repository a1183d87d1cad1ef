// One operation of the OpenAPI description: what follows for it from its permission, and the forms of the document.
import type { RoutePermission } from "../auth/gate/authorize.ts";
import type { SCHEMAS, Schema } from "./openapi-schemas.ts";

export interface Parameter {
  readonly name: string;
  readonly in: "query" | "path";
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

interface Content {
  readonly [mediaType: string]: { readonly schema: Schema };
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly description?: string;
  readonly security: readonly Readonly<Record<string, readonly []>>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  /** By status. */
  readonly responses: Readonly<Record<string, { readonly description: string; readonly content: Content }>>;
}

export interface OpenApi {
  readonly openapi: "3.1.0";
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly description: string;
    readonly license: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<
    Record<string, Readonly<Partial<Record<"get" | "put" | "post" | "delete", Operation>>>>
  >;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly securitySchemes: Readonly<
      Record<string, { readonly type: "http"; readonly scheme: string; readonly description: string }>
    >;
  };
}

/** What each permission means for a client. An empty requirement: nothing needs to be sent. */
export const SECURITY: Record<RoutePermission, Operation["security"]> = {
  none: [],
  pull: [{}, { basic: [] }, { bearer: [] }],
  push: [{ basic: [] }, { bearer: [] }],
  admin: [{ basic: [] }, { bearer: [] }],
};

const UNAUTHORIZED = "No credential, or a wrong one.";
/** Refusals that an operation has because of its permission. */
const REFUSALS: Record<keyof typeof SECURITY, Readonly<Record<number, string>>> = {
  none: {},
  pull: {
    401: `Of a private cache: ${UNAUTHORIZED}`,
    403: "Of a private cache: the credential may not read it.",
  },
  push: { 401: UNAUTHORIZED, 403: "The credential may not push, or none is configured that may." },
  admin: { 401: UNAUTHORIZED, 403: "The credential is not an administrator's, or none is configured." },
};
const TOO_LARGE = { 413: "The body is too large." };

interface Described {
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly permission: keyof typeof SECURITY;
  readonly parameters?: readonly Parameter[];
  readonly body?: Schema;
  /** The request may come without one. */
  readonly isBodyOptional?: boolean;
  readonly answer: Schema;
  readonly errors: Readonly<Record<number, string>>;
}

/** An operation with the refusals that its permission brings. */
export function operation({
  id,
  permission,
  parameters = [],
  body,
  isBodyOptional = false,
  answer,
  errors,
  ...texts
}: Described): Operation {
  const refusals = Object.entries({ ...REFUSALS[permission], ...(body && TOO_LARGE), ...errors });
  const problem = { "application/problem+json": { schema: ref("Problem") } };
  return {
    operationId: id,
    ...texts,
    security: SECURITY[permission],
    parameters,
    ...(body && {
      requestBody: { required: !isBodyOptional, content: { "application/json": { schema: body } } },
    }),
    responses: {
      200: { description: "Done.", content: { "application/json": { schema: answer } } },
      ...Object.fromEntries(
        refusals.map(([status, description]) => [status, { description, content: problem }]),
      ),
      default: { description: "Any other refusal.", content: problem },
    },
  };
}

export function ref(name: keyof typeof SCHEMAS): Schema {
  return { $ref: `#/components/schemas/${name}` };
}
