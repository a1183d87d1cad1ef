// Runs a program that is a client of the server, with an environment of its own.
import { spawn } from "node:child_process";

/** `code` is the exit status or the signal that ended it. */
export type Result = { code: number | NodeJS.Signals; stdout: string; stderr: string };

export type Surroundings = { env: Readonly<Record<string, string>>; cwd?: string };

export function execute(command: string, args: string[], { env, cwd }: Surroundings): Promise<Result> {
  return new Promise((done, fail) => {
    const child = spawn(command, args, { env, cwd, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", fail);
    child.on("close", (code, signal) => done({ code: code ?? signal ?? -1, stdout, stderr }));
  });
}
