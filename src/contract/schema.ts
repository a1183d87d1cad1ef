// The vocabulary of the contract's schemas. A schema is the one description of a piece of JSON: TypeScript takes its
// type from it, the API its validation and its OpenAPI description. A message continues the name of the wrong
// property.
import * as v from "valibot";
import { NIX32_CLASS } from "../nix/nix32.ts";

/** For the reader of the OpenAPI description. */
export function described<S extends v.GenericSchema>(description: string, schema: S) {
  return v.pipe(schema, v.description(description));
}

/** A named shape: a component of the OpenAPI description. */
export function named<S extends v.GenericSchema>(name: string, schema: S) {
  return v.pipe(schema, v.title(name));
}

export const TEXT = v.string("must be a text");
export const NON_EMPTY = v.pipe(TEXT, v.minLength(1, "must not be empty"));
export const FLAG = v.boolean("must be true or false");
/** ISO 8601 in UTC. */
export const TIME = v.pipe(v.string(), v.metadata({ format: "date-time" }));
export const DAY = v.pipe(v.string(), v.metadata({ format: "date" }));
export const COUNT = v.pipe(v.number(), v.integer(), v.minValue(0));
export const BYTES = described("Bytes.", COUNT);

/** A text that matches `pattern`, which is anchored at both ends. */
export function matching(pattern: RegExp, message: string) {
  return v.pipe(v.string(message), v.regex(pattern, message));
}

export function textUpTo(maxLength: number) {
  return v.pipe(TEXT, v.maxLength(maxLength, `must have at most ${maxLength} characters`));
}

export function wholeNumber(min: number, max: number, unit = "") {
  const message = `must be a whole number${unit && ` of ${unit}`} from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

export function oneOf<const W extends readonly string[]>(words: W) {
  return v.picklist(words, `must be ${words.join(" or ")}`);
}

export function listOf<S extends v.GenericSchema>(item: S) {
  return v.pipe(v.array(item, "must be a list"), v.readonly());
}

/** For a request: at least one item, and a limit. */
export function someOf<S extends v.GenericSchema>(item: S, max: number) {
  return v.pipe(
    listOf(item),
    v.minLength(1, "must not be empty"),
    v.maxLength(max, `must have at most ${max} items`),
  );
}

/** Characters. */
const HASH_LENGTH = 32;

/** A regular expression of Nix's names, which have 211 characters at most and do not begin with a dot segment. */
const BASE_NAME_FORM = `${NIX32_CLASS}{32}-(?!\\.\\.?(-|$))[0-9a-zA-Z+._?=-]{1,211}`;

export const HASH_PART = described(
  "The hash part of a store path.",
  v.pipe(
    matching(new RegExp(`^${NIX32_CLASS}{32}$`), "must be the 32 characters of a store path's hash part"),
    v.examples(["3m5fd0cx9d74whnzm8ryrjgglb2gs4b2"]),
  ),
);
export const BASE_NAME = described(
  "A store path without the directory of the store.",
  matching(new RegExp(`^${BASE_NAME_FORM}$`), "must be HASH-NAME"),
);
export const STORE_PATH = described(
  "A store path; in a request one of this cache's store directory.",
  matching(new RegExp(`^/([^/]+/)+${BASE_NAME_FORM}$`), "must be a store path: /nix/store/HASH-NAME"),
);
const PATH_NAME_FORM = new RegExp(`^(${NIX32_CLASS}{32}|(/?([^/]+/)+)?${BASE_NAME_FORM})$`);
/** What names a path in the body of a request. */
export const PATH_NAME = v.regex(PATH_NAME_FORM, "is neither a store path nor a base name nor a hash part");
/** What names a path in the URL of a request; becomes its hash part. */
export const PATH_IN_URL = described(
  "A store path, its HASH-NAME, or its hash part.",
  v.pipe(
    matching(PATH_NAME_FORM, "must be a store path, HASH-NAME, or its 32 characters HASH"),
    v.examples(["3m5fd0cx9d74whnzm8ryrjgglb2gs4b2"]),
    v.transform((text) => text.slice(text.lastIndexOf("/") + 1).slice(0, HASH_LENGTH)),
  ),
);
export const NAR_HASH = matching(new RegExp(`^sha256:${NIX32_CLASS}{52}$`), "must be sha256: and base-32");
