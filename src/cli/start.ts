// `npm start`: a working local cache. Makes the secrets on first use, runs `wrangler dev` and says how to use it.
import { mkdir } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigurationError, readFiles, writeMerged } from "../deploy/files.ts";
import { mergeLocal } from "../deploy/merge.ts";
import { settingsProblems } from "../deploy/settings.ts";
import type { Table } from "../deploy/table.ts";
import { unhidden } from "../deploy/variables.ts";
import { readArguments, type StartArguments } from "./arguments.ts";
import { type Description, descriptionOf } from "./description.ts";
import { makeDevVars, readVars } from "./dev-vars.ts";
import { problemsOf } from "./health.ts";
import { type Address, instructions, urlOf } from "./instructions.ts";
import { type Lock, lockAt, socketFor } from "./lock.ts";
import { writeNetrc } from "./netrc.ts";
import { isInstalled, runWranglerDev } from "./wrangler-dev.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const USAGE = `usage: npm start [-- OPTION...]

Runs a cache at http://localhost:8787 until Ctrl-C. The first start makes .dev.vars, with a token and a signing key.

  --port PORT        another port; 0 is any
  --ip ADDRESS       where to listen; 0.0.0.0 lets in other machines
  --persist-to DIR   keeps what is pushed in DIR, not in .wrangler/state
  --env-file FILE    takes the secrets from FILE, not from .dev.vars
  --var NAME:VALUE   sets a variable, such as PRIORITY:30

Settings belong in nix-cache.toml (docs/operating/configuration.md). Other options go to 'wrangler dev'.
`;

process.exitCode = await main();

async function main(): Promise<number> {
  const given = readArguments(process.argv.slice(2));
  if (given.isHelp) {
    process.stdout.write(USAGE);
    return 0;
  }
  if (!isInstalled(ROOT)) {
    console.error("wrangler is not installed: run 'npm ci' first");
    return 1;
  }
  const data = resolve(ROOT, given.persistTo ?? ".wrangler");
  await mkdir(data, { recursive: true });
  const lock = await lockAt(socketFor(data));
  if ("heldAt" in lock) {
    const whose = given.persistTo === undefined ? "This clone's cache" : `The cache of ${data}`;
    console.error(
      lock.heldAt === "" ? `${whose} is already being started` : `${whose} already runs at ${lock.heldAt}`,
    );
    return 1;
  }
  try {
    return await run(given, data, lock);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    for (const line of error.message.split("\n")) console.error(`Problem: ${line}`);
    return 1;
  } finally {
    lock.release();
  }
}

/** `data` is the folder for what is pushed. Throws {@link ConfigurationError}. */
async function run(given: StartArguments, data: string, lock: Lock): Promise<number> {
  if (given.envFiles.length === 0 && (await makeDevVars(ROOT))) {
    console.log("Made .dev.vars with a token for pushing and a key for signing.");
  }
  const config = given.hasConfig ? undefined : await ownConfig();
  const args = config === undefined ? [] : ["--config", await writeMerged(ROOT, "local", config)];
  return runWranglerDev(ROOT, [...given.forWrangler, ...args], async (listening) => {
    const address = { protocol: given.protocol, ...listening };
    lock.announce(urlOf(address));
    await greet(given, address, data, config);
  });
}

/** wrangler.toml with one's own settings. Throws {@link ConfigurationError}. */
async function ownConfig(): Promise<Table> {
  const { base, own } = await readFiles(ROOT);
  const problems = settingsProblems(own, base);
  if (problems.length > 0) throw new ConfigurationError(problems.join("\n"));
  return mergeLocal(base, own);
}

async function greet(
  given: StartArguments,
  address: Address,
  data: string,
  config: Table = {},
): Promise<void> {
  const vars = await readVars(ROOT, given);
  const { PUSH_TOKEN, PULL_TOKEN } = vars;
  const problems = await unhidden(await problemsOf(address), config, vars);
  let description: Description = { publicKeys: [], upstreams: [], isPrivate: Boolean(PULL_TOKEN) };
  try {
    description = await descriptionOf(address, PULL_TOKEN || PUSH_TOKEN || undefined);
  } catch (error) {
    problems.push(`it does not tell its keys: ${error instanceof Error ? error.message : error}`);
  }
  console.log(
    instructions({
      address,
      askedPort: given.port,
      problems,
      ...description,
      netrcPath: PUSH_TOKEN ? await writeNetrc(data, address.ip, PUSH_TOKEN) : undefined,
      hasPullToken: Boolean(PULL_TOKEN),
    }),
  );
}
