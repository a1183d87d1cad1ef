// The secrets of the local cache: the file `.dev.vars`, which `wrangler dev` reads and git ignores.
import { randomBytes, randomUUID } from "node:crypto";
import { link, mkdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { parseEnv } from "node:util";
import { textOf } from "../deploy/dev-vars.ts";
import { generateSecretKey } from "../nix/keys.ts";
import type { StartArguments } from "./arguments.ts";

const TOKEN_BYTES = 32;
const KEY_SUFFIX_BYTES = 3;

export type Vars = Readonly<Record<string, string | undefined>>;

/**
 * Makes `.dev.vars` in `directory` with a random PUSH_TOKEN and a fresh SIGNING_KEY, unless the file exists: an
 * existing one is never changed. Of concurrent calls only one makes it. Returns whether this one did.
 */
export async function makeDevVars(directory: string): Promise<boolean> {
  const path = join(directory, ".dev.vars");
  if ((await textOf(path)) !== undefined) return false;
  // Write to a temporary file in a folder that git ignores, then link it: the file appears atomically, and the link
  // fails if another start was faster.
  const scratch = join(directory, ".wrangler");
  await mkdir(scratch, { recursive: true });
  const draft = join(scratch, `dev-vars-${randomUUID()}`);
  try {
    await writeFile(draft, await freshDevVars(), { mode: 0o600, flag: "wx" });
    await link(draft, path);
    return true;
  } catch (error) {
    if (isSystemError(error, "EEXIST")) return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

async function freshDevVars(): Promise<string> {
  const { secret } = await generateSecretKey(
    localKeyName(hostname(), randomBytes(KEY_SUFFIX_BYTES).toString("hex")),
  );
  return [
    "# The secrets of your local cache, made by `npm start`. Git ignores this file.",
    "# Change it as you like: it is never overwritten. Without it `npm start` makes a new one.",
    `PUSH_TOKEN=${randomBytes(TOKEN_BYTES).toString("base64url")}`,
    `SIGNING_KEY=${secret}`,
    "",
  ].join("\n");
}

/** Nix finds keys by their names: the local caches of two machines, and of two checkouts, need different ones. */
export function localKeyName(host: string, checkout: string): string {
  const name = host.replace(/[^0-9A-Za-z.-]+/g, "-").replace(/^[.-]+|[.-]+$/g, "");
  return `nix-cache-${name === "" ? "local" : name}-${checkout}-1`;
}

/** The variables that `wrangler dev` will read from files and arguments, in its order of precedence. */
export async function readVars(directory: string, given: StartArguments): Promise<Vars> {
  return { ...(await readVarFiles(directory, given)), ...given.vars };
}

async function readVarFiles(directory: string, { env, envFiles }: StartArguments): Promise<Vars> {
  if (envFiles.length > 0) {
    const texts = await Promise.all(envFiles.map((file) => textOf(resolve(directory, file))));
    return Object.assign({}, ...texts.map((text) => parseEnv(text ?? "")));
  }
  const ofEnvironment = env === undefined ? undefined : await textOf(join(directory, `.dev.vars.${env}`));
  return parseEnv(ofEnvironment ?? (await textOf(join(directory, ".dev.vars"))) ?? "");
}

function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
