// `npm start`: a working local cache. Makes the secrets on first use, runs `wrangler dev` and says how to use it.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
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
  return runWranglerDev(ROOT, given.forWrangler, (listening) =>
    greet(given, { protocol: given.protocol, ...listening }),
  );
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
