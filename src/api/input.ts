// Validates requests to the API by the operation's schemas. Anything unknown is refused by name: ignoring a misspelt
// parameter would give a wrong answer that looks right.
import * as v from "valibot";
import { decodeUtf8, readBody } from "../http/body.ts";
import { HttpError } from "../http/errors.ts";
import { scanJson } from "../http/json-scanner.ts";
import { FormatError } from "../nix/format-error.ts";
import { jsonSchema } from "./json-schema.ts";

/** Of an object, with an example for clients and tests: `v.pipe(v.object({...}), v.examples([...]))`. */
export type BodySchema = v.GenericSchema & {
  readonly entries: v.ObjectEntries;
  readonly pipe: readonly [
    ...unknown[],
    { readonly type: "examples"; readonly examples: readonly unknown[] },
  ];
};

/** Why the parameters of a path are none; `undefined` where they are. */
export function misfitOf(
  parameters: v.ObjectEntries,
  inPath: Readonly<Record<string, string>>,
): string | undefined {
  for (const [name, text] of Object.entries(inPath)) {
    const issue = parameters[name] && v.safeParse(parameters[name], text).issues?.[0];
    if (issue) return `the path parameter '${name}' ${issue.message}`;
  }
  return undefined;
}

/** Throws {@link HttpError} 400. */
export function parseParameters<P extends v.ObjectEntries>(
  entries: P,
  inPath: Readonly<Record<string, string>>,
  url: string,
): v.InferOutput<v.ObjectSchema<P, undefined>> {
  const ofQuery = Object.keys(entries).filter((name) => !(name in inPath));
  const values: Record<string, unknown> = { ...inPath };
  for (const [name, text] of new URL(url).searchParams) {
    if (!ofQuery.includes(name))
      throw unknown("parameter", name, `this takes ${ofQuery.join(", ") || "none"}`);
    if (name in values) throw new HttpError(400, `parameter '${name}' is given twice`);
    const isNumber = jsonSchema(entries[name]).type === "integer" && /^[0-9]{1,15}$/.test(text);
    values[name] = isNumber ? Number(text) : text;
  }
  return validated(v.object(entries), values, (path, why) => `parameter '${path}' ${why}`);
}

/** Levels of arrays and objects in a body. The schemas have two. */
export const MAX_DEPTH = 16;
/** JSON values in a body, unless its operation says otherwise. */
export const MAX_VALUES = 1000;

/**
 * An empty body is an empty object where that is one. Throws {@link HttpError} 400, or 413 for a body or a list in it
 * that is too large. Nothing is parsed that has more than `maxBytes` bytes or `maxValues` values, or is nested deeper
 * than {@link MAX_DEPTH}.
 */
export async function parseBody<S extends BodySchema>(
  request: Request,
  schema: S,
  maxBytes: number,
  maxValues = MAX_VALUES,
): Promise<v.InferOutput<S>> {
  const body = await readBody(request, maxBytes);
  const text = decodeUtf8(body);
  const example = () => JSON.stringify(jsonSchema(schema).examples?.[0]);
  const isEmpty = text.trim() === "";
  if (isEmpty && !v.is(schema, {}))
    throw new HttpError(400, `the body is empty; it must be like ${example()}`);
  if (!isEmpty) scanJson(body, { depth: MAX_DEPTH, values: maxValues });
  const value = isEmpty ? {} : parseJson(text, example);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, `the body must be an object like ${example()}`);
  }
  const known = Object.keys(schema.entries);
  const other = Object.keys(value).find((name) => !known.includes(name));
  if (other !== undefined) throw unknown("property", other, `the body takes ${known.join(", ")}`);
  return validated(schema, value, (path, why) => `${path}: ${why}`);
}

/** Runs a parser of nix/ on a property of the body; its FormatError becomes a 400 that names the property. */
export function inBody<T>(path: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (error instanceof FormatError) throw new HttpError(400, `${path}: ${error.message}`);
    throw error;
  }
}

function parseJson(text: string, example: () => string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the body.
    throw new HttpError(400, `the body is not JSON; it must be like ${example()}`);
  }
}

function validated<S extends v.GenericSchema>(
  schema: S,
  value: unknown,
  line: (path: string, why: string) => string,
): v.InferOutput<S> {
  // The schemas have messages of their own, except for a missing property.
  const result = v.safeParse(schema, value, { abortEarly: true, message: "is missing" });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = (issue.path ?? [])
    .map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${key}`))
    .join("");
  const isTooLong = issue.type === "max_length" && Array.isArray(issue.input);
  throw new HttpError(isTooLong ? 413 : 400, line(path.slice(1), issue.message));
}

function unknown(what: string, name: string, hint: string): HttpError {
  return new HttpError(400, `unknown ${what} '${name.slice(0, 40)}': ${hint}`);
}
