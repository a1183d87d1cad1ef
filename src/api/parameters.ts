// The query string of a request to the API: what a parameter may be is said once, and anything else is refused by
// name. A misspelt parameter that was ignored would give a wrong answer that looks right.
import { HttpError } from "../http/errors.ts";

export type Parameters = ReadonlyMap<string, string>;

/** Throws {@link HttpError} 400 for a parameter that is not among `known`, or given twice. */
export function parametersOf(request: Request, known: readonly string[]): Parameters {
  const parameters = new Map<string, string>();
  for (const [name, value] of new URL(request.url).searchParams) {
    if (!known.includes(name)) {
      const hint = known.length === 0 ? "this takes none" : `this takes ${known.join(", ")}`;
      throw new HttpError(400, `unknown parameter '${name.slice(0, 40)}': ${hint}`);
    }
    if (parameters.has(name)) throw wrong(name, "is given twice");
    parameters.set(name, value);
  }
  return parameters;
}

/** For operations that take none. Throws {@link HttpError} 400. */
export function refuseParameters(request: Request): void {
  parametersOf(request, []);
}

/** Any text of at most `maxLength` characters; empty where it is absent. */
export function textOf(parameters: Parameters, name: string, maxLength: number): string {
  const value = parameters.get(name) ?? "";
  if (value.length > maxLength) throw wrong(name, `must have at most ${maxLength} characters`);
  return value;
}

/** A whole number from 1 to `max`. */
export function countOf(parameters: Parameters, name: string, max: number, absent: number): number {
  const value = parameters.get(name);
  if (value === undefined) return absent;
  const number = /^[0-9]{1,9}$/.test(value) ? Number(value) : 0;
  if (number < 1 || number > max) throw wrong(name, `must be a whole number from 1 to ${max}`);
  return number;
}

/** One of these words; `undefined` where it is absent. */
export function wordOf<W extends string>(
  parameters: Parameters,
  name: string,
  words: readonly W[],
): W | undefined {
  const isWord = (value: string): value is W => (words as readonly string[]).includes(value);
  return parsed(
    parameters,
    name,
    (value) => (isWord(value) ? value : undefined),
    `must be ${words.join(" or ")}`,
  );
}

/** `undefined` where it is absent, which may mean something else than `false`. */
export function flagOf(parameters: Parameters, name: string): boolean | undefined {
  const word = wordOf(parameters, name, ["true", "false"]);
  return word && word === "true";
}

/** What `parse` makes of it; `parse` gives `undefined` for what is wrong. */
export function parsed<T>(
  parameters: Parameters,
  name: string,
  parse: (text: string) => T | undefined,
  hint: string,
): T | undefined {
  const value = parameters.get(name);
  if (value === undefined) return undefined;
  const result = parse(value);
  if (result === undefined) throw wrong(name, hint);
  return result;
}

function wrong(name: string, why: string): HttpError {
  return new HttpError(400, `parameter '${name}' ${why}`);
}
