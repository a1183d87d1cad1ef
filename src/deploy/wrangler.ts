// `npm run deploy` and `npm run wrangler -- ...`: wrangler with one's own settings over wrangler.toml.
import { spawnSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { resolve } from "node:path";
import { ConfigurationError, writeMerged } from "./files.ts";
import { planOf } from "./plan.ts";

const ROOT = resolve(import.meta.dirname, "../..");

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof ConfigurationError)) throw error;
  console.error(`Problem: ${error.message}`);
  process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<number> {
  if (args.some((arg) => /^(-c|--config)(=|$)/.test(arg))) return wrangler(args);
  const { problems, notes, ownName, merged } = await planOf(ROOT);
  const isDeployment = args[0] === "deploy" || args[0] === "versions";
  if (isDeployment) {
    for (const note of notes) console.error(`Note: ${note}`);
    for (const problem of problems) console.error(`Problem: ${problem}`);
    if (problems.length > 0) {
      console.error("Nothing was deployed.");
      return 1;
    }
  }
  // Without settings of one's own wrangler reads wrangler.toml itself, as Cloudflare's Deploy button has it do.
  if (ownName === undefined) return wrangler(args);
  const path = await writeMerged(ROOT, "deploy", merged);
  try {
    return wrangler([...args, "--config", path]);
  } finally {
    // The next call makes it anew.
    await rm(path);
  }
}

function wrangler(args: readonly string[]): number {
  const program = resolve(ROOT, "node_modules/wrangler/bin/wrangler.js");
  const { status } = spawnSync(process.execPath, [program, ...args], { cwd: ROOT, stdio: "inherit" });
  return status ?? 1;
}
