// Finds what stands below the wrong header: in TOML each line after `[table]` belongs to that table.
import { OIDC_MEANING, SETTINGS_MEANING, UPSTREAM_MEANING, VARIABLES_MEANING } from "../config/reference.ts";
import { isSecret } from "../config/secrets.ts";
import { KEYS } from "./keys.ts";
import { secretProblem } from "./secret.ts";
import { isTable, type Table } from "./table.ts";

export interface Placed {
  /** One line for each misplaced key; none has a value, which may be secret. */
  readonly problems: readonly string[];
  /** The settings without them. */
  readonly rest: Table;
}

/** Looks in all tables; the keys above the first one are not this file's. */
export function misplaced(own: Table): Placed {
  const problems: string[] = [];
  const rest = Object.entries(own).map(([key, value]) => [key, inside(value, [key], problems)] as const);
  return { problems, rest: Object.fromEntries(rest) };
}

function inside(value: unknown, path: readonly string[], problems: string[]): unknown {
  if (Array.isArray(value)) {
    return value.map((each) => (isTable(each) ? below(each, path, `[[${path.join(".")}]]`, problems) : each));
  }
  return isTable(value) ? below(value, path, `[${path.join(".")}]`, problems) : value;
}

function below(table: Table, path: readonly string[], header: string, problems: string[]): Table {
  if (isNamedFreely(path)) return table;
  const rest: [string, unknown][] = [];
  for (const [key, value] of Object.entries(table)) {
    const problem = problemOf(key, value, path, header);
    if (problem === undefined) rest.push([key, inside(value, [...path, key], problems)]);
    else problems.push(problem);
  }
  return Object.fromEntries(rest);
}

function problemOf(key: string, value: unknown, path: readonly string[], header: string): string | undefined {
  const here = keysOf(path);
  if (Object.hasOwn(here, key) || (isCaches(path) && isTable(value))) return undefined;
  if (isSecret(key)) return secretProblem(key);
  const because = `below ${header} it belongs to that table`;
  if (Object.hasOwn(VARIABLES_MEANING, key)) {
    const own = key.toLowerCase();
    const otherwise = Object.hasOwn(here, own) ? `, or write ${own}` : "";
    return `${key}: is a variable; ${because}. Move it directly below [vars]${otherwise}`;
  }
  if (Object.hasOwn(KEYS, key)) {
    return `${key}: is a setting of the deployment; ${because}. ${placeOf(key, value)}`;
  }
  // Below [vars] and in CACHES the Worker's parser says what is meant, and which cache is private for that.
  const isRule = isRules(path) || isUpstreams(path);
  return isRule && Object.hasOwn(SETTINGS_MEANING, key)
    ? `${key}: is a setting of a cache; ${because}. Move it below [vars.CACHES.NAME]`
    : undefined;
}

function placeOf(key: string, value: unknown): string {
  if (isTable(value)) return `Its header is [${key}]`;
  const isTables = Array.isArray(value) && value.some(isTable) && key !== "routes";
  return isTables ? `Its header is [[${key}]]` : "Move it above the first [table]";
}

/** The keys that the table may have, as far as they are ours. */
function keysOf(path: readonly string[]): object {
  if (path.join(".") === "vars") return VARIABLES_MEANING;
  if (isRules(path)) return OIDC_MEANING;
  if (isUpstreams(path)) return UPSTREAM_MEANING;
  return isCaches(path.slice(0, -1)) ? SETTINGS_MEANING : {};
}

function isCaches(path: readonly string[]): boolean {
  return path.join(".") === "vars.CACHES";
}

function isRules(path: readonly string[]): boolean {
  return path.join(".") === "vars.OIDC";
}

function isUpstreams(path: readonly string[]): boolean {
  return path.join(".") === "vars.UPSTREAMS" || (isCaches(path.slice(0, 2)) && path[3] === "upstreams");
}

/** The claims of a rule. */
function isNamedFreely(path: readonly string[]): boolean {
  return path.length > 2 && isRules(path.slice(0, 2));
}
