// `watch-exec` around a command: its exit code, signals, and that its hook outlives a daemon that fails.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, expect, test } from "vitest";
import { watchExec } from "../../src/client/hook/watch-exec.ts";

const scratch = mkdtempSync(join(tmpdir(), "nix-cache-exec-"));
afterAll(() => rmSync(scratch, { recursive: true }));

const PATH = `/nix/store/${"a".repeat(32)}-a`;
const HOOK = `hook=\${NIX_CONFIG##*= }`;

async function watched(script: string, more: Partial<Parameters<typeof watchExec>[0]> = {}) {
  const said: string[] = [];
  const pushed: (readonly string[])[] = [];
  const result = await watchExec({
    command: ["/bin/sh", "-c", `${HOOK}; ${script}`],
    env: { PATH: process.env.PATH },
    client: [process.execPath, resolve(import.meta.dirname, "../../src/client/main.ts")],
    push: async (paths) => {
      pushed.push(paths);
      return [];
    },
    say: (line) => said.push(line),
    ...more,
  });
  return { result, said, pushed };
}

test("what is built is pushed also where the command fails, and its exit code stays", async () => {
  const { result, pushed } = await watched(`OUT_PATHS=${PATH} "$hook"; exit 7`);
  expect(result).toEqual({ code: 7, left: 0, pushed: 1 });
  expect(pushed).toEqual([[PATH]]);
});

test("a command that a signal ends has the shell's exit code", async () => {
  expect((await watched("kill -TERM $$")).result.code).toBe(143);
});

test("where the queue fails, the command goes on with its hook", async () => {
  let count = 0;
  const note = `OUT_PATHS=${PATH} "$hook" || exit 9`;
  const { result } = await watched(`${note}; sleep 1; ${note}; exit 3`, {
    push: async () => {
      throw new Error("refused");
    },
    say: () => {
      count += 1;
      if (count === 1) throw new Error("standard error is full");
    },
  });
  expect(result).toEqual({ code: 3, left: 1, pushed: 0 });
});

test.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
  "without a terminal, %s reaches the command",
  async (signal) => {
    const main = `import { watchExec } from ${JSON.stringify(resolve(import.meta.dirname, "../../src/client/hook/watch-exec.ts"))};
    const { code } = await watchExec({
      command: ["/bin/sh", "-c", "trap 'exit 5' INT TERM HUP; echo ready; while :; do sleep 0.05; done"],
      env: process.env, client: [], push: async () => [], say: () => {},
    });
    process.exit(code);`;
    const child = spawn(process.execPath, ["--input-type=module", "-e", main], {
      stdio: ["ignore", "pipe", "ignore"],
      env: { ...process.env, TMPDIR: scratch },
    });
    await once(child.stdout, "data");
    child.kill(signal);
    expect(await once(child, "exit")).toEqual([5, null]);
  },
);
