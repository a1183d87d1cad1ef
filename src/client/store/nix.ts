// Running Nix's programs.
import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { Failure, isSystemError } from "../ground/failure.ts";
import type { Env } from "../settings/locations.ts";

export interface NixOutput {
  readonly stdout: string;
  readonly stderr: string;
}

export interface NixOptions {
  readonly env: Env;
  /** What it reads. */
  readonly stdin?: string;
}

/** Runs a program of Nix and returns what it prints. Throws {@link Failure} with the error that it shows. */
export async function runNix(
  program: string,
  args: readonly string[],
  options: NixOptions,
): Promise<NixOutput> {
  const { code, ...output } = await tryNix(program, args, options);
  if (code !== 0) throw new Failure("failed", `${program} ${args[0] ?? ""}: ${errorIn(output.stderr)}`);
  return output;
}

/** The same, with the exit code. Throws {@link Failure} only where the program cannot be run. */
export function tryNix(
  program: string,
  args: readonly string[],
  { env, stdin }: NixOptions,
): Promise<NixOutput & { readonly code: number }> {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { env: nixEnv(env), stdio: ["pipe", "pipe", "pipe"] });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    child.on("error", (error) => fail(notRun(program, error)));
    child.on("close", (code) =>
      done({
        code: code ?? 1,
        stdout: Buffer.concat(stdout).toString("utf8"),
        stderr: Buffer.concat(stderr).toString("utf8"),
      }),
    );
    // It may end without reading everything; its exit code tells.
    child.stdin.on("error", () => undefined);
    child.stdin.end(stdin);
  });
}

export function notRun(program: string, error: Error): Failure {
  return isSystemError(error, "ENOENT")
    ? new Failure("failed", `there is no ${program} on PATH: is Nix installed?`)
    : new Failure("failed", `cannot run ${program}: ${error.message}`);
}

/** With the commands that it needs switched on, whatever nix.conf says. Nix before 2.4 knows neither. */
export function nixEnv(env: Env): NodeJS.ProcessEnv {
  const config = [env.NIX_CONFIG, "extra-experimental-features = nix-command flakes"];
  return { ...env, NIX_CONFIG: config.filter(Boolean).join("\n") } as NodeJS.ProcessEnv;
}

/** `[major, minor]` of the Nix on PATH. */
export async function nixVersion(env: Env): Promise<[major: number, minor: number]> {
  const { stdout } = await runNix("nix", ["--version"], { env });
  const [, major, minor] = /(\d+)\.(\d+)\S*\s*$/.exec(stdout) ?? [];
  return [Number(major ?? 2), Number(minor ?? 0)];
}

/** Nix's error without its warnings, on one line. */
export function errorIn(stderr: string): string {
  const at = stderr.lastIndexOf("error:");
  const text = at === -1 ? stderr : stderr.slice(at + "error:".length);
  return stripVTControlCharacters(text).replace(/\s+/g, " ").trim() || "failed";
}
