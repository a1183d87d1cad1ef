/** Requests of the API's operations, made of the examples that their schemas have. */
import { jsonSchema } from "../../src/api/json-schema.ts";
import type { Operation } from "../../src/api/operation.ts";

/** The path below /api/v1, with these values or the examples in place of its parameters. */
export function pathOf(
  { path, parameters = {} }: Operation,
  values: Readonly<Record<string, string>> = {},
): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) =>
    String(values[name] ?? jsonSchema(parameters[name]).examples?.[0]),
  );
}

/** `undefined` for an operation that takes no body. */
export function bodyOf({ body }: Operation): unknown {
  return body && jsonSchema(body).examples?.[0];
}
