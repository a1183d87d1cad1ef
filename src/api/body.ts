// JSON bodies of requests to the API: an object with known properties. A misspelt one that was ignored would do
// something else than was asked.
import { decodeUtf8, readBody } from "../http/body.ts";
import { HttpError } from "../http/errors.ts";

/** Room for a store path and some numbers. */
const MAX_BODY_BYTES = 16 * 1024;

export type JsonObject = Readonly<Record<string, unknown>>;

/** An empty body is an empty object. Throws {@link HttpError} 400 or 413; `hint` says what the body must be. */
export async function jsonBody(
  request: Request,
  known: readonly string[],
  hint: string,
): Promise<JsonObject> {
  const text = decodeUtf8(await readBody(request, MAX_BODY_BYTES));
  if (text.trim() === "") return {};
  const value = parseJson(text, hint);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new HttpError(400, `the body must be ${hint}`);
  }
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    throw new HttpError(400, `unknown property '${unknown.slice(0, 40)}': the body must be ${hint}`);
  }
  return { ...value };
}

function parseJson(text: string, hint: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message would quote the body.
    throw new HttpError(400, `the body is not JSON; it must be ${hint}`);
  }
}

/** A property that is true or false; false where it is absent. Throws {@link HttpError} 400. */
export function flagIn(body: JsonObject, name: string): boolean {
  const value = body[name] ?? false;
  if (typeof value !== "boolean") throw new HttpError(400, `'${name}' must be true or false`);
  return value;
}

/** A whole number from 1 to `max`; `undefined` where it is absent. Throws {@link HttpError} 400. */
export function numberIn(body: JsonObject, name: string, max: number): number | undefined {
  const value = body[name] ?? undefined;
  if (value === undefined) return undefined;
  if (Number.isInteger(value) && (value as number) >= 1 && (value as number) <= max) return value as number;
  throw new HttpError(400, `'${name}' must be a whole number from 1 to ${max}`);
}
