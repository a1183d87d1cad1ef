// What the Worker will make of the variables: its own parser reads them, so the messages are those of /health.
import { allProblems, type Deployment, parseConfig } from "../config/config.ts";
import { VARIABLES } from "../config/variables.ts";
import type { Env } from "../env.ts";
import { generateSecretKey } from "../nix/keys.ts";
import { isTable, type Table } from "./table.ts";

/** The configuration that the Worker has after a deployment, apart from its secrets, which are not known here. */
export async function parsedConfig(merged: Table): Promise<Deployment> {
  const vars = isTable(merged.vars) ? merged.vars : {};
  // Stand-ins: only whether they are bound counts.
  const bindings = {
    ...(merged.r2_buckets !== undefined && { BUCKET: {} }),
    ...(merged.analytics_engine_datasets !== undefined && { TRAFFIC: { writeDataPoint() {} } }),
    SIGNING_KEY: await standInKeys(vars),
  };
  // The types are those of a Worker's bindings; the parser takes any value.
  return parseConfig({ ...vars, ...bindings } as unknown as Env);
}

/** One line for each mistake. They are shown to the operator: no names are hidden. */
export async function variableProblems(config: Deployment): Promise<string[]> {
  return allProblems({ ...config, hidesNames: false });
}

/** Variables that mean nothing to the Worker and resemble nothing that does. */
export function unread({ vars }: Table, problems: readonly string[]): string[] {
  return Object.keys(isTable(vars) ? vars : {}).filter(
    (name) => !Object.hasOwn(VARIABLES, name) && !problems.some((problem) => problem.startsWith(`${name}:`)),
  );
}

/** Keys of the names that caches choose: whether SIGNING_KEY has them cannot be known here. */
async function standInKeys({ CACHES: caches }: Table): Promise<string[]> {
  const entries = Object.values(isTable(caches) ? caches : {});
  const names = entries.flatMap((entry) => (isTable(entry) ? entry.signing_keys : undefined) ?? []);
  const valid = names.filter((name): name is string => typeof name === "string" && /^[^\s:]+$/.test(name));
  return Promise.all([...new Set(valid)].map(async (name) => (await generateSecretKey(name)).secret));
}
