/** The documented hook without the client: it fails no build, whatever OUT_PATHS and the cache are. */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";

const DOCUMENT = readFileSync(resolve(import.meta.dirname, "../../docs/using/hooks.md"), "utf8");
const SECTION = DOCUMENT.slice(DOCUMENT.indexOf("## Without the client"));
const [, HOOK = ""] = /```sh\n(#![\s\S]*?)```/.exec(SECTION) ?? [];
const [, MODULE = ""] = /```nix\n([\s\S]*?)```/.exec(SECTION) ?? [];

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-hook-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

/** With a Nix that exits with `code`, and notes how it was called. */
function run(code: number, variables: Record<string, string>) {
  writeFileSync(join(dir, "nix"), `#!/bin/sh\nprintf '%s\\n' "$@" > ${dir}/arguments\nexit ${code}\n`);
  writeFileSync(join(dir, "hook"), HOOK);
  for (const file of ["nix", "hook"]) chmodSync(join(dir, file), 0o755);
  const env = { PATH: `${dir}:/usr/bin:/bin`, ...variables };
  const { status, stderr } = spawnSync(join(dir, "hook"), { cwd: "/", env, encoding: "utf8" });
  return { status, stderr };
}

function copied(): string[] {
  return readFileSync(join(dir, "arguments"), "utf8").trim().split("\n").slice(-2);
}

test("pushes each path, and expands none", () => {
  expect(run(0, { OUT_PATHS: "/nix/store/a-* /nix/store/b-?" })).toEqual({ status: 0, stderr: "" });
  expect(copied()).toEqual(["/nix/store/a-*", "/nix/store/b-?"]);
});

test("a cache that is down fails no build", () => {
  expect(run(1, { OUT_PATHS: "/nix/store/a-b" })).toEqual({
    status: 0,
    stderr: "not pushed: /nix/store/a-b\n",
  });
});

test.each([{}, { OUT_PATHS: "" }])("with %j does nothing", (variables) => {
  expect(run(1, variables)).toEqual({ status: 0, stderr: "" });
});

test("its form for NixOS is the same script", () => {
  const text = MODULE.slice(MODULE.indexOf("''\n") + 3, MODULE.lastIndexOf("''"))
    .replaceAll("''${", "${")
    .replace(/\$\{config\.nix\.package\}\/bin\//, "")
    .replace(/^ {4}/gm, "")
    .trimEnd();
  expect(`#!/bin/sh\n${text}\n`).toBe(HOOK);
});
