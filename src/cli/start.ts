// `npm start`: a working local cache. Makes the secrets on first use, runs `wrangler dev` and says how to use it.
import { homedir } from "node:os";
import { join, resolve } from "node:path";
import { parseSecretKey } from "../nix/keys.ts";
import { readArguments, type StartArguments } from "./arguments.ts";
import { makeDevVars, readVars } from "./dev-vars.ts";
import { healthOf } from "./health.ts";
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
  const vars = await readVars(ROOT, given);
  const { problems, upstreams } = await healthOf(address);
  console.log(
    instructions({
      address,
      problems,
      upstreams,
      publicKeys: await publicKeysOf(vars.SIGNING_KEY ?? ""),
      pushToken: vars.PUSH_TOKEN || undefined,
      pullToken: vars.PULL_TOKEN || undefined,
      netrcPath: join(homedir(), ".netrc"),
    }),
  );
}

/** /health reports invalid keys. */
async function publicKeysOf(signingKeys: string): Promise<string[]> {
  const keys = signingKeys.split(/\s+/).filter((text) => text !== "");
  const parsed = await Promise.allSettled(keys.map(parseSecretKey));
  return parsed.flatMap((result) => (result.status === "fulfilled" ? [result.value.publicText] : []));
}
