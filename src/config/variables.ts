// The names of the Worker's variables, and those that look like a misspelt one: ignoring it could leave a cache public
// that was meant to be private.
import type { Env } from "../env.ts";
import { hasWord, meantBy, wordsOf } from "./resembles.ts";
import { isSet, isTable } from "./values.ts";

/**
 * All of them; what each means is in reference.ts, which the Worker does not load. `hides`: it decides who may read, so
 * a cache is private while this may be the misspelt one.
 */
export const VARIABLES: Readonly<Record<keyof Env, { readonly hides?: true }>> = {
  BUCKET: {},
  CATALOG: {},
  ADMIN_TOKEN: {},
  PUSH_TOKEN: {},
  PULL_TOKEN: { hides: true },
  TOKEN_SECRET: {},
  SIGNING_KEY: {},
  TRUSTED_PUBLIC_KEYS: {},
  PRIORITY: {},
  LISTING: {},
  STORE_DIR: {},
  CACHE_NAME: {},
  CACHES: { hides: true },
  OIDC: { hides: true },
  UPSTREAMS: {},
  GC_GRACE_SECONDS: {},
  TRAFFIC: {},
};

/** A name with this word is about this variable or setting, whatever else is in it. */
const TELLING: readonly (readonly [word: RegExp, name: string])[] = [
  [/(?:^|[^a-z])caches(?:[^a-z]|$)/i, "CACHES"],
  [/(?:^|[^a-z])upstreams?(?:[^a-z]|$)/i, "UPSTREAMS"],
  [/(?:^|[^a-z])oidc(?:[^a-z]|$)/i, "OIDC"],
  [/(?:^|[^a-z])retention(?:[^a-z]|$)/i, "retention_days"],
];

/** The setting of a cache that says who may read it, and the words of a name that is about nothing else. */
const VISIBILITY = "visibility";
const VISIBILITY_WORDS = [VISIBILITY, "private", "public"];
const WORDS_BESIDE = ["is", "cache", "nix", "default", "read", "access", "only", "mode", "listing"];

export interface Misspelt {
  /** One line for each. */
  readonly problems: readonly string[];
  /** Whether one of them may have been meant to make a cache private. */
  readonly mayHide: boolean;
}

/** Looks for variables that nothing reads although they look like ours, or like one of a cache's `settings`. */
export function misspeltVariables(env: Env, settings: readonly string[]): Misspelt {
  const problems: string[] = [];
  let mayHide = false;
  for (const [name, value] of Object.entries(env)) {
    if (isOurs(name) || !isVariable(value)) continue;
    const found = meant(name, settings);
    if (found === undefined) continue;
    if (found.hides) mayHide = true;
    // Its value may be secret.
    problems.push(`${printable(name)}: ${found.line}${found.hides ? "; private until this is fixed" : ""}`);
  }
  return { problems, mayHide };
}

/** Whether a value is a text, number, table or list of wrangler.toml, and not a binding of something else. */
function isVariable(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return typeof value !== "function" && isSet(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  return Array.isArray(value) || (isTable(value) && (prototype === Object.prototype || prototype === null));
}

function meant(name: string, settings: readonly string[]): { line: string; hides: boolean } | undefined {
  // PRIORITY and TRUSTED_PUBLIC_KEYS are both.
  const others = settings.filter((setting) => !isOurs(setting.toUpperCase()));
  const names = namesMeantBy(name, [...Object.keys(VARIABLES), ...others]);
  const [first] = names;
  if (first === undefined) return undefined;
  const line = isOurs(first)
    ? `is no variable of this cache, and looks like ${names.filter(isOurs).join(" or ")}; correct the name, or choose one that is quite different`
    : `is no variable; it looks like the setting ${first} of a cache, which belongs under [vars.CACHES.nix-cache]`;
  return {
    line,
    hides: names.some((each) => each === VISIBILITY || (isOurs(each) && VARIABLES[each].hides)),
  };
}

function namesMeantBy(name: string, known: readonly string[]): readonly string[] {
  if (aboutVisibility(wordsOf(name))) return [VISIBILITY];
  const names = meantBy(name, known);
  return names.length > 0 ? names : TELLING.flatMap(([word, about]) => (word.test(name) ? [about] : []));
}

function isOurs(name: string): name is keyof Env {
  return Object.hasOwn(VARIABLES, name);
}

function aboutVisibility(words: readonly string[]): boolean {
  const rest = words.filter((word) => !hasWord(VISIBILITY_WORDS, word));
  return rest.length < words.length && rest.every((word) => WORDS_BESIDE.includes(word));
}

function printable(name: string): string {
  return name.replace(/[^\w.-]/g, "?").slice(0, 40);
}
