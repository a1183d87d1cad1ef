/** `hook install`: the files that it plans, and that nix.conf keeps what it has. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Installation, planned, withHook, write } from "../../src/client/hook/install.ts";
import { execute } from "../real-nix/execute.ts";

const MAIN = resolve(import.meta.dirname, "../../src/client/main.ts");

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-install-"));
});

afterEach(() => rmSync(dir, { recursive: true }));

function installation(more: Partial<Installation> = {}): Installation {
  return {
    client: ["/usr/bin/node", "/opt/nix cache/nix-cache.mjs"],
    url: "https://cache.example.org",
    tokenFile: "/etc/nix/token",
    exclude: [],
    nixConfDir: dir,
    path: "/usr/bin:/bin",
    ...more,
  };
}

function service(more: Partial<Installation> = {}): string {
  return planned(installation(more)).find(({ file }) => file.endsWith(".service"))?.text ?? "";
}

test("plans the script, a socket, a service and the line of nix.conf, which is the last", () => {
  expect(planned(installation()).map(({ file, mode }) => [file, mode])).toEqual([
    [join(dir, "nix-cache-hook"), 0o755],
    ["/etc/systemd/system/nix-cache-hook.socket", 0o644],
    ["/etc/systemd/system/nix-cache-hook.service", 0o644],
    [join(dir, "nix.conf"), 0o644],
  ]);
});

test("the service gets the token as a credential, and words as systemd reads them", () => {
  const text = service({ exclude: ["^a$", "50%", 'say "x"'] });
  expect(text).toContain("LoadCredential=token:/etc/nix/token\n");
  expect(text).toContain("Environment=NIX_CACHE_TOKEN_FILE=%d/token\n");
  expect(text).toContain(
    'ExecStart=/usr/bin/node "/opt/nix cache/nix-cache.mjs" hook serve --dir /var/lib/nix-cache-hook --idle-exit 60 ' +
      '--exclude "^a$$" --exclude 50%% --exclude "say \\"x\\""\n',
  );
});

describe("nix.conf", () => {
  test.each([
    ["", "post-build-hook = /hook\n"],
    ["sandbox = true", "sandbox = true\npost-build-hook = /hook\n"],
    ["# post-build-hook = /other\n", "# post-build-hook = /other\npost-build-hook = /hook\n"],
    ["post-build-hook = /hook\nsandbox = true\n", "post-build-hook = /hook\nsandbox = true\n"],
    ["post-build-hook =\n", "post-build-hook =\npost-build-hook = /hook\n"],
  ])("%j becomes %j", (before, after) => {
    expect(withHook(before, "/hook", "nix.conf")).toBe(after);
  });

  test("with another hook stays as it is", () => {
    expect(() => withHook("post-build-hook = /other\n", "/hook", "nix.conf")).toThrow(
      "nix.conf names another post-build-hook, /other: call /hook from it",
    );
  });
});

test("writes what differs, and nothing the second time", () => {
  writeFileSync(join(dir, "nix.conf"), "sandbox = true\n");
  const ours = () => planned(installation()).filter(({ file }) => file.startsWith(dir));
  expect(write(ours())).toEqual([join(dir, "nix-cache-hook"), join(dir, "nix.conf")]);
  expect(statSync(join(dir, "nix-cache-hook")).mode & 0o777).toBe(0o755);
  expect(readFileSync(join(dir, "nix.conf"), "utf8")).toBe(
    `sandbox = true\npost-build-hook = ${join(dir, "nix-cache-hook")}\n`,
  );
  expect(write(ours())).toEqual([]);
});

test("--dry-run shows the files and writes none", async () => {
  const token = join(dir, "token");
  writeFileSync(token, "secret-token\n");
  const args = ["hook", "install", "--dry-run", "--url", "https://cache.example.org", "--token-file", token];
  const env = { PATH: "/usr/bin:/bin", HOME: dir, NIX_CONF_DIR: dir };
  const { code, stdout } = await execute(process.execPath, [MAIN, ...args], { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining(`post-build-hook = ${dir}`) });
  expect(stdout).not.toContain("secret-token");
  expect(readdirSync(dir)).toEqual(["token"]);
});

test("a token file of a relative name is the one of this directory", async () => {
  writeFileSync(join(dir, "token"), "secret\n");
  const args = ["hook", "install", "--dry-run", "--url", "https://c.example", "--token-file", "token"];
  const env = { PATH: process.env.PATH ?? "", HOME: dir, NIX_CONF_DIR: dir };
  const { stdout } = await execute(process.execPath, [MAIN, ...args], { env, cwd: dir });
  expect(stdout).toContain(`LoadCredential=token:${dir}/token\n`);
});
