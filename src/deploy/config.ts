// `npm run config`: checks the configuration before it is deployed, and shows what would change. Changes nothing.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { changes } from "./changes.ts";
import { askDeployed, isNow, sameCache, urlOf, willBe } from "./deployed.ts";
import { ConfigurationError } from "./files.ts";
import { type Plan, planOf } from "./plan.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const USAGE = `usage: npm run config [-- --url URL]

Checks nix-cache.toml and wrangler.toml, and compares with the cache at URL. Without --url, with the custom domain of
the configuration if it has one. NIX_CACHE_TOKEN is a token for a private cache.
`;

/** What /api/v1/cache keeps from everybody. */
const NOT_SHOWN = "secrets, OIDC, TRUSTED_PUBLIC_KEYS, retention, other caches";

process.exitCode = await main();

async function main(): Promise<number> {
  const url = givenUrl();
  if (url === null) return 2;
  let plan: Plan;
  try {
    plan = await planOf(ROOT);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(`Problem: ${error.message}`);
    return 1;
  }
  for (const problem of plan.problems) console.log(`Problem: ${problem}`);
  for (const note of plan.notes) console.log(`Note: ${note}`);
  for (const line of plan.localProblems) console.log(`Note: on this machine, with .dev.vars: ${line}`);
  // The values may be a secret in the wrong place.
  if (plan.problems.length > 0) return 1;
  printChanges(plan);
  await printDeployed(plan, url ?? urlOf(plan.merged));
  return 0;
}

/** `null` after the usage was printed. */
function givenUrl(): string | undefined | null {
  try {
    return parseArgs({ options: { url: { type: "string" } } }).values.url?.replace(/\/+$/, "");
  } catch {
    // An argument that is none.
    process.stderr.write(USAGE);
    return null;
  }
}

function printChanges({ base, ownName, merged }: Plan): void {
  if (ownName === undefined) {
    console.log(
      "No mistake. There are no settings of your own: nix-cache.example.toml shows how to make some.",
    );
    return;
  }
  const changed = changes(base, merged);
  console.log(
    changed.length === 0
      ? `No mistake. ${ownName} sets nothing that differs from the defaults.`
      : `No mistake. ${ownName} changes:`,
  );
  for (const line of changed) console.log(`  ${line}`);
}

async function printDeployed({ config }: Plan, url: string | undefined): Promise<void> {
  if (url === undefined) return;
  try {
    const { health, description } = await askDeployed(url, process.env.NIX_CACHE_TOKEN || undefined);
    console.log(`${url} is version ${health.version ?? "0.1.0, which does not tell it"}: ${health.status}`);
    for (const kind of ["problems", "notices"]) {
      const lines = health[kind];
      for (const line of Array.isArray(lines) ? lines : []) console.log(`  ${line}`);
    }
    if (description === undefined) {
      console.log("  its settings need a credential: set NIX_CACHE_TOKEN");
      return;
    }
    const changed = changes(isNow(description), willBe(sameCache(config, description), description));
    console.log(`Of what it shows, a deployment changes${changed.length === 0 ? " nothing." : ":"}`);
    for (const line of changed) console.log(`  ${line}`);
    console.log(`It does not show, and so these were not compared: ${NOT_SHOWN}.`);
  } catch (error) {
    console.log(`Not compared: ${error instanceof Error ? error.message : error}`);
  }
}
