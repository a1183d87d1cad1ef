/** `bin/node`, which picks the Node that our programs run on, among fakes that print a version. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const LAUNCHER = resolve(import.meta.dirname, "../../bin/node");

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "nix-cache-node-"));
  mkdirSync(join(root, "bin"));
  copyFileSync(LAUNCHER, join(root, "bin/node"));
});

afterEach(() => rmSync(root, { recursive: true }));

/** A Node that says its name and arguments, or its version. */
function fake(dir: string, version: string): void {
  write(dir, `#!/bin/sh\nif [ "$1" = --version ]; then echo ${version}; else echo ${dir} "$@"; fi\n`);
}

function write(dir: string, text: string): void {
  mkdirSync(join(root, dir), { recursive: true });
  writeFileSync(join(root, dir, "node"), text);
  chmodSync(join(root, dir, "node"), 0o755);
}

function run(...path: string[]) {
  const PATH = path.map((dir) => join(root, dir)).join(":");
  const { status, stdout, stderr } = spawnSync("/bin/sh", [join(root, "bin/node"), "a b", "c"], {
    env: { PATH },
    encoding: "utf8",
  });
  return { status, stdout, stderr };
}

test("takes no launcher in PATH for a Node: itself, and those of other checkouts, would start each other for ever", () => {
  fake("system", "v24.0.0");
  for (const dir of ["other/bin", "third/bin"]) {
    mkdirSync(join(root, dir), { recursive: true });
    copyFileSync(LAUNCHER, join(root, dir, "node"));
  }
  expect(run("bin", "other/bin", "third/bin", "system")).toEqual({
    status: 0,
    stdout: "system a b c\n",
    stderr: "",
  });
});

describe("with the package installed", () => {
  beforeEach(() => fake("node_modules/node/bin", "v26.10.0"));

  test.each([
    ["v22.18.0", "system"],
    ["v22.100.1", "system"],
    ["v23.6.0", "system"],
    ["v24.0.0", "system"],
    ["v100.0.0", "system"],
    ["v26.0.0-nightly2026", "system"],
    ["v22.17.1", "node_modules/node/bin"],
    ["v23.5.0", "node_modules/node/bin"],
    ["v20.20.2", "node_modules/node/bin"],
    ["something else", "node_modules/node/bin"],
  ])("a system's Node that says %s makes it %s", (version, chosen) => {
    fake("system", version);
    expect(run("system").stdout).toBe(`${chosen} a b c\n`);
  });

  test("an old one does not hide a newer one behind it", () => {
    fake("old", "v18.0.0");
    fake("new", "v24.1.0");
    expect(run("old", "none", "new").stdout).toBe("new a b c\n");
  });

  test("the package's own, which npm puts in front, is not the system's", () => {
    fake("node_modules/.bin", "v26.10.0");
    expect(run("node_modules/.bin").stdout).toBe("node_modules/node/bin a b c\n");
  });
});

test("a package that does not run here is named, with the remedy", () => {
  write("node_modules/node/bin", "#!/no/such/loader\n");
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining("on NixOS: nix develop") });
});

test("no Node at all", () => {
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining("run 'npm ci'") });
});

test("every script of package.json that needs Node takes it from there", () => {
  const { scripts } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../package.json"), "utf8"));
  for (const command of Object.values(scripts)) {
    expect(command).toMatch(/^(exec |npm run --silent build:client && )?bin\/node |^\.ci\/check$|^biome /);
  }
});

test.each([
  ["keygen", ["src/cli/keygen.ts", "a-1"], 0],
  ["the client", ["src/client/main.ts", "--version"], 0],
  ["the action", ["src/action/post.ts"], 0],
])("%s needs nothing that Node 22.18 lacks: hexadecimal and base64 of Uint8Array", (_, args, expected) => {
  const without = ["fromHex", "fromBase64"].map((name) => `delete Uint8Array.${name};`);
  const lacking = ["toHex", "toBase64"].map((name) => `delete Uint8Array.prototype.${name};`);
  const preload = `data:text/javascript,${[...without, ...lacking].join("")}`;
  const { status, stderr } = spawnSync(process.execPath, ["--import", preload, ...args], {
    cwd: resolve(import.meta.dirname, "../.."),
    encoding: "utf8",
  });
  expect({ status, stderr }).toEqual({ status: expected, stderr: expect.not.stringContaining("TypeError") });
});
