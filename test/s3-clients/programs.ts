// The S3 clients of this machine: `RCLONE_BIN`, `AWS_BIN`, `S3CMD_BIN`, `MC_BIN`, and a Python with clients in
// `S3_PYTHON`, else `rclone`, `aws`, `s3cmd`, `mcli` (as Debian calls mc) and `python3` on PATH, run with an environment of their own.
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe } from "vitest";
import { execute } from "../real-nix/execute.ts";
import { scratchDir } from "../real-nix/nix.ts";

export type Program = {
  /** The first line of `--version`; undefined where there is no such program. */
  version: string | undefined;
  /** `describe`, but skipped without the program. */
  describe: (name: string, tests: () => void) => void;
  /** Runs it and returns its output. Throws with its output if it fails. */
  run: (env: Env, ...args: string[]) => Promise<string>;
};

export type Env = Readonly<Record<string, string>>;

export const rclone = program(process.env.RCLONE_BIN || "rclone", "version");
export const aws = program(process.env.AWS_BIN || "aws", "--version");
export const s3cmd = program(process.env.S3CMD_BIN || "s3cmd", "--version");
export const mc = program(process.env.MC_BIN || "mcli", "--version");
/** With the packages boto3, minio, obstore and opendal. */
export const PYTHON = process.env.S3_PYTHON || "python3";
export const PYTHON_LIBRARIES = ["boto3", "minio", "obstore", "opendal"] as const;
/** Runs one of the libraries. */
export const PYTHON_CLIENTS = resolve(import.meta.dirname, "clients.py");
export const python = (library: string) => program(PYTHON, PYTHON_CLIENTS, library, "version");

/** rclone's configuration of a cache as `cache:`. */
export function rcloneEnv(url: string, secret: string): Env {
  return {
    RCLONE_CONFIG: join(scratchDir(), "none"),
    RCLONE_CONFIG_CACHE_TYPE: "s3",
    RCLONE_CONFIG_CACHE_PROVIDER: "Other",
    RCLONE_CONFIG_CACHE_ENDPOINT: url,
    RCLONE_CONFIG_CACHE_REGION: "auto",
    RCLONE_CONFIG_CACHE_ACCESS_KEY_ID: "push",
    RCLONE_CONFIG_CACHE_SECRET_ACCESS_KEY: secret,
  };
}

/** The configuration of the AWS CLI; `settings` are further lines. */
export function awsEnv(secret: string, ...settings: string[]): Env {
  const home = scratchDir();
  mkdirSync(join(home, ".aws"));
  writeFileSync(join(home, ".aws/config"), `[default]\n${settings.join("\n")}\n`);
  return {
    HOME: home,
    AWS_ACCESS_KEY_ID: "push",
    AWS_SECRET_ACCESS_KEY: secret,
    AWS_DEFAULT_REGION: "auto",
    // It would ask for more credentials on the network.
    AWS_EC2_METADATA_DISABLED: "true",
  };
}

function program(command: string, ...versionArguments: string[]): Program {
  const version = findVersion(command, versionArguments);
  return {
    version,
    describe: describe.skipIf(version === undefined),
    run: (env, ...args) => run(command, args, env),
  };
}

function findVersion(command: string, args: string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).split(
      "\n",
    )[0];
  } catch {
    return undefined; // No such program: `clients.test.ts` says so, and fails if it is required.
  }
}

async function run(command: string, args: string[], env: Env): Promise<string> {
  const surroundings = { PATH: process.env.PATH ?? "/usr/bin:/bin", HOME: "/nonexistent", ...env };
  const { code, stdout, stderr } = await execute(command, args, { env: surroundings });
  if (code !== 0) throw new Error(`${command} ${args.join(" ")}: exit ${code}\n${stderr}${stdout}`);
  return stdout;
}
