// What the Worker will make of the variables: its own parser reads them, so the messages are those of /health.
import { allProblems, type Deployment, HIDDEN_PROBLEM, parseConfig } from "../config/config.ts";
import { meantBy } from "../config/resembles.ts";
import { jsonOrValue, words } from "../config/values.ts";
import { VARIABLES } from "../config/variables.ts";
import type { Env } from "../env.ts";
import { generateSecretKey } from "../nix/keys.ts";
import { KEYS } from "./keys.ts";
import { isTable, type Table } from "./table.ts";

/** The configuration that the Worker has after a deployment, apart from its secrets, which are not known here. */
export async function parsedConfig(merged: Table): Promise<Deployment> {
  const SIGNING_KEY = await Promise.all(
    [...new Set(signingNames(merged).map(({ name }) => name))].map(
      async (name) => (await generateSecretKey(name)).secret,
    ),
  );
  return parseWith(merged, { SIGNING_KEY });
}

/** One line for each mistake that the Worker finds with these secrets, of which one may be missing. */
export async function problemsWith(merged: Table, secrets: Table): Promise<string[]> {
  return variableProblems(parseWith(merged, secrets));
}

/** The problems of /health, with those that it hides from everybody, as they follow from the variables and secrets. */
export async function unhidden(shown: readonly string[], merged: Table, secrets: Table): Promise<string[]> {
  if (!shown.includes(HIDDEN_PROBLEM)) return [...shown];
  const all = await problemsWith(merged, secrets);
  const hidden = all.filter((line) => line.startsWith("CACHES") && !shown.includes(line));
  return hidden.length === 0
    ? [...shown]
    : shown.flatMap((line) => (line === HIDDEN_PROBLEM ? hidden : line));
}

function parseWith(merged: Table, secrets: Table): Deployment {
  // Stand-ins: only whether they are bound counts.
  const bindings = {
    ...(merged.r2_buckets !== undefined && { BUCKET: {} }),
    ...(merged.analytics_engine_datasets !== undefined && { TRAFFIC: { writeDataPoint() {} } }),
  };
  // The types are those of a Worker's bindings; the parser takes any value.
  return parseConfig({ ...variablesOf(merged), ...bindings, ...secrets } as unknown as Env);
}

/** One line for each mistake. They are shown to the operator: no names are hidden. */
export async function variableProblems(config: Deployment): Promise<string[]> {
  return allProblems({ ...config, hidesNames: false });
}

/** What no file says: which keys the secret must have. */
export function signingNotes(merged: Table): string[] {
  return signingNames(merged).map(
    ({ label, name }) => `${label}: SIGNING_KEY must have a key named ${name}, or all caches refuse writes`,
  );
}

/** One line for each variable that means nothing to the Worker and resembles nothing that does. */
export function unread(merged: Table, problems: readonly string[]): string[] {
  return Object.keys(variablesOf(merged))
    .filter(
      (name) => !Object.hasOwn(VARIABLES, name) && !problems.some((line) => line.startsWith(`${name}:`)),
    )
    .map((name) => {
      const [likely] = meantBy(name, Object.keys(KEYS));
      const hint =
        likely === undefined
          ? ""
          : `; ${likely} is probably meant, a setting of the deployment, which stands above the first [table]`;
      return `vars.${name}: nothing reads it${hint}`;
    });
}

/** The keys that caches choose by `signing_keys`. */
function signingNames(merged: Table): { label: string; name: string }[] {
  const caches = jsonOrValue(variablesOf(merged).CACHES);
  return Object.entries(isTable(caches) ? caches : {}).flatMap(([cache, entry]) => {
    const label = `CACHES.${cache}.signing_keys`;
    // The parser reports mistakes.
    const names = isTable(entry) ? words(label, entry.signing_keys, []) : [];
    return names.filter((name) => !name.includes(":")).map((name) => ({ label, name }));
  });
}

function variablesOf({ vars }: Table): Table {
  return isTable(vars) ? vars : {};
}
