// An operation of the API is one value. Its route, the validation of what it takes, its OpenAPI description and the
// types of its handler come from it.
import type * as v from "valibot";
import type { RoutePermission } from "../auth/gate/authorize.ts";
import type { Context, Route } from "../context.ts";
import { PATH_IN_URL } from "../contract/schema.ts";
import { requireValidConfig } from "../valid-config.ts";
import { type BodySchema, misfitOf, parseBody, parseParameters } from "./input.ts";
import { accepted, json } from "./json.ts";
import { jsonSchema } from "./json-schema.ts";

export const ROOT = "/api/v1";

/** Room for a store path and some numbers. */
export const MAX_BODY_BYTES = 16 * 1024;

interface Description<P, B, A> {
  readonly id: string;
  readonly method: Route["method"];
  /** Below {@link ROOT}; a parameter in it is `{name}`. */
  readonly path: string;
  readonly permission: RoutePermission;
  /** Refused while the configuration has a mistake, because the intended one is unknown. */
  readonly isWrite?: true;
  readonly summary: string;
  readonly description?: string;
  /** Of the path, and of the query. */
  readonly parameters?: P;
  /** Only a POST or PUT has one. */
  readonly body?: B;
  readonly maxBodyBytes?: number;
  /** JSON values in the body. */
  readonly maxBodyValues?: number;
  readonly answer: A;
  /** The answer where the work has only begun: {@link Begun}. */
  readonly begun?: v.GenericSchema;
  /** Refusals by status, besides those of its permission and its input. */
  readonly errors?: Readonly<Record<number, string>>;
}

export interface Operation extends Description<v.ObjectEntries, BodySchema, v.GenericSchema>, Route {}

/** The answer of a handler whose work has only begun, with status 202; `status_url` is the path that tells how far it is. */
export class Begun {
  readonly report: { readonly status_url: string };

  constructor(report: { readonly status_url: string }) {
    this.report = report;
  }
}

/** Throws where a parameter of the path lacks what routes and tests need: a mistake in this program. */
export function operation<
  A extends v.GenericSchema,
  P extends v.ObjectEntries = Record<never, never>,
  B extends BodySchema = BodySchema,
>({
  handle,
  ...description
}: Description<P, B, A> & {
  readonly handle: (
    context: Context,
    input: {
      readonly parameters: v.InferOutput<v.ObjectSchema<P, undefined>>;
      readonly body: v.InferOutput<B>;
    },
  ) => Promise<v.InferOutput<A> | Begun>;
}): Operation {
  const { id, body: schema, maxBodyBytes = MAX_BODY_BYTES, maxBodyValues, isWrite, path } = description;
  const entries = (description.parameters ?? {}) as P;
  const pattern = patternOf(path, (name) => {
    const { pattern, examples } = jsonSchema(entries[name]);
    if (pattern === undefined || !examples?.length)
      throw new Error(`${id}: {${name}} needs matching() and v.examples([...])`);
    return pattern.slice(1, -1);
  });
  const form = patternOf(path, (name) => (entries[name] === PATH_IN_URL ? ".+" : "[^/]+"));
  const handler = async (context: Context): Promise<Response> => {
    const { request } = context;
    const inPath = pattern.exec(`/${context.path}`)?.groups ?? {};
    const parameters = parseParameters(entries, inPath, request.url);
    const body = schema && (await parseBody(request, schema, maxBodyBytes, maxBodyValues));
    const answer = await handle(context, { parameters, body: body as v.InferOutput<B> });
    if (answer instanceof Begun) return accepted(request, answer.report, answer.report.status_url);
    return json(request, answer);
  };
  return {
    ...description,
    pattern,
    misfit: (text) => misfitOf(entries, form.exec(text)?.groups ?? {}),
    handler: isWrite ? requireValidConfig(handler) : handler,
  };
}

function patternOf(path: string, patternOfParameter: (name: string) => string): RegExp {
  const source = path
    .replaceAll(".", "\\.")
    .replace(/\{(\w+)\}/g, (_, name: string) => `(?<${name}>${patternOfParameter(name)})`);
  return new RegExp(`^${ROOT}${source}$`);
}
