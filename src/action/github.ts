// What GitHub's runner and an action say to each other: inputs, state, variables and commands.
import { appendFileSync } from "node:fs";
import type { Env } from "../client/settings/locations.ts";

/** An input of action.yml, trimmed; empty if it is not given. */
export function input(name: string, env: Env): string {
  return (env[`INPUT_${name.toUpperCase()}`] ?? "").trim();
}

/** The lines of an input that are not empty. */
export function lines(name: string, env: Env): string[] {
  return input(name, env)
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Sets a variable for the steps after this one. The value has no line break. */
export function exportVariable(name: string, value: string, env: Env): void {
  if (env.GITHUB_ENV) appendFileSync(env.GITHUB_ENV, `${name}=${value}\n`);
}

/** Keeps a value for the post step, which reads it by {@link state}. */
export function saveState(name: string, value: string, env: Env): void {
  if (env.GITHUB_STATE) appendFileSync(env.GITHUB_STATE, `${name}=${value}\n`);
}

export function state(name: string, env: Env): string {
  return env[`STATE_${name}`] ?? "";
}

/** The runner shows *** in the place of a secret from then on. */
export function mask(secret: string): void {
  console.log(`::add-mask::${secret}`);
}

export function annotate(kind: "notice" | "warning" | "error", line: string): void {
  const escaped = line.replaceAll("%", "%25").replaceAll("\r", "%0D").replaceAll("\n", "%0A");
  console.log(`::${kind} title=nix-cache::${escaped}`);
}
