// `npm start`: a working local cache. Makes the secrets on first use, runs `wrangler dev` and says how to use it.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { ConfigurationError, ownFile, readFiles, writeMerged } from "../deploy/files.ts";
import { mergeLocal } from "../deploy/merge.ts";
import { settingsProblems } from "../deploy/settings.ts";
import { readArguments, type StartArguments } from "./arguments.ts";
import { type Description, descriptionOf } from "./description.ts";
import { makeDevVars, readVars } from "./dev-vars.ts";
import { problemsOf } from "./health.ts";
import { type Address, instructions } from "./instructions.ts";
import { runWranglerDev } from "./wrangler-dev.ts";

const ROOT = resolve(import.meta.dirname, "../..");

process.exitCode = await main();

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2));
  if (given.isHelp) return runWranglerDev(ROOT, given.forWrangler, async () => {});
  if (given.envFiles.length === 0 && (await makeDevVars(ROOT))) {
    console.log("Made .dev.vars with a token for pushing and a key for signing.");
  }
  let config: string[];
  try {
    config = given.hasConfig ? [] : await ownConfig();
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    for (const line of error.message.split("\n")) console.error(`Problem: ${line}`);
    return 1;
  }
  return runWranglerDev(ROOT, [...given.forWrangler, ...config], (listening) =>
    greet(given, { protocol: given.protocol, ...listening }),
  );
}

/** The arguments that have wrangler read one's own settings, too. Throws {@link ConfigurationError}. */
async function ownConfig(): Promise<string[]> {
  // Without them it need not load wrangler's parser.
  if (ownFile(ROOT) === undefined) return [];
  const { base, own } = await readFiles(ROOT);
  const problems = settingsProblems(own, base);
  if (problems.length > 0) throw new ConfigurationError(problems.join("\n"));
  return ["--config", await writeMerged(ROOT, "local", mergeLocal(base, own))];
}

async function greet(given: StartArguments, address: Address): Promise<void> {
  const { PUSH_TOKEN, PULL_TOKEN } = await readVars(ROOT, given);
  const problems = await problemsOf(address);
  let description: Description = { publicKeys: [], upstreams: [], isPrivate: Boolean(PULL_TOKEN) };
  try {
    description = await descriptionOf(address, PULL_TOKEN || PUSH_TOKEN || undefined);
  } catch (error) {
    problems.push(`it does not tell its keys: ${error instanceof Error ? error.message : error}`);
  }
  console.log(
    instructions({
      address,
      problems,
      ...description,
      pushToken: PUSH_TOKEN || undefined,
      pullToken: PULL_TOKEN || undefined,
      netrcPath: join(homedir(), ".netrc"),
    }),
  );
}
