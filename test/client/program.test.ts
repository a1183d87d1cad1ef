// The program as its users start it: one file, quickly, with help for all commands and completions that shells can read.
// @module-tag slow
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { COMMANDS } from "../../src/client/commands.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const PROGRAM = resolve(ROOT, "dist/nix-cache.mjs");
const MAX_BYTES = 300_000;
const MAX_HELP_MS = 100;

beforeAll(() => {
  execFileSync(process.execPath, [resolve(ROOT, ".ci/build-client.ts")]);
});

function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [PROGRAM, ...args], { encoding: "utf8" });
  return { status, stdout, stderr };
}

test("it is small, and beside Node's own start its help takes little time", () => {
  expect(statSync(PROGRAM).size).toBeLessThan(MAX_BYTES);
  const node = fastest("-e", "");
  expect(fastest(PROGRAM, "--help") - node).toBeLessThan(MAX_HELP_MS);
});

/** Milliseconds of the fastest of several starts of Node: other work of the machine only adds. */
function fastest(...args: string[]): number {
  return Math.min(
    ...Array.from({ length: 10 }, () => {
      const start = performance.now();
      spawnSync(process.execPath, args);
      return performance.now() - start;
    }),
  );
}

test.each(COMMANDS.map(({ name }) => name))("%s has help with an example", (name) => {
  const { status, stdout } = run(...name.split(" "), "--help");
  expect(status).toBe(0);
  expect(stdout).toContain("examples:");
  expect(stdout).toContain(`usage: nix-cache ${name}`);
});

test.each([
  [[], 2, "usage:"],
  [["nonsense"], 2, "there is no command 'nonsense'"],
  [["psuh", "./result"], 2, "there is no command 'psuh'; did you mean push?"],
  [["tokn", "mint"], 2, "did you mean token mint?"],
  [["token", "mnit"], 2, "it is one of token mint"],
  [["pin"], 2, "pin set, pin show"],
  [["push", "--nonsense"], 2, "--nonsense"],
  [["token", "mint", "--permissions", "push"], 2, "'--permissions'; did you mean --permission?"],
  [["path"], 2, "it needs PATH"],
  [["stats", "extra"], 2, "unexpected argument 'extra'"],
  [["token", "revoke", "--", "-0aBcDeFgHiJkLmNoPqRsT", "extra"], 2, "unexpected argument 'extra'"],
  [["token", "revoke", "--"], 2, "it needs ID"],
  [["--version"], 0, "nix-cache 0."],
  [["help", "push"], 0, "usage: nix-cache push"],
])("%j", (args, status, text) => {
  const result = run(...args);
  expect(result.status).toBe(status);
  expect(result.stdout + result.stderr).toContain(text);
});

test.skipIf(spawnSync("bash", ["--version"]).status !== 0)(
  "bash completes commands, flags and their values",
  () => {
    const complete = (...words: string[]) =>
      execFileSync(
        "bash",
        [
          "-c",
          `source <(cat); COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _nix_cache; printf '%s\\n' "\${COMPREPLY[@]}"`,
        ],
        { input: run("completions", "bash").stdout, encoding: "utf8" },
      ).trim();
    expect(complete("nix-cache", "pu")).toBe("push");
    expect(complete("nix-cache", "token", "mi")).toBe("mint");
    expect(complete("nix-cache", "push", "--dry")).toBe("--dry-run");
    expect(complete("nix-cache", "push", "--compression", "x")).toBe("xz");
    expect(complete("nix-cache", "token", "mint", "--perm")).toBe("--permission");
    const dir = mkdtempSync(join(tmpdir(), "nix-cache-complete-"));
    writeFileSync(join(dir, "a file"), "");
    writeFileSync(join(dir, "a second"), "");
    expect(complete("nix-cache", "push", `${dir}/a`).split("\n").sort()).toEqual([
      `${dir}/a file`,
      `${dir}/a second`,
    ]);
    rmSync(dir, { recursive: true });
  },
);

test.each([
  ["zsh", ["-n"]],
  ["fish", ["--no-execute"]],
])("%s can read its completions", (shell, flags) => {
  const text = run("completions", shell).stdout;
  expect(text).toContain("push");
  if (spawnSync(shell, ["--version"]).status !== 0) return;
  expect(spawnSync(shell, flags, { input: text, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
});

test("fish offers no files where words are expected, and no second command after one", () => {
  const lines = run("completions", "fish").stdout.split("\n");
  const lineOf = (...parts: string[]) => lines.find((line) => parts.every((part) => line.includes(part)));
  expect(lineOf("from push", "-l compression")).toContain(" -x -a 'zstd:3");
  expect(lineOf("from push", "-l token-file")).toContain(" -r -F");
  expect(lineOf("-a 'mint'")).toContain("not __fish_seen_subcommand_from mint list revoke");
});

test("the manual page has every command", () => {
  const page = run("manual").stdout;
  expect(page).toMatch(/^\.TH NIX-CACHE 1 /);
  for (const { name } of COMMANDS) expect(page).toContain(`.SS nix\\-cache ${name.replace(/-/g, "\\-")}`);
});
