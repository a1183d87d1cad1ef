// NixOS cannot run generic ELF files, such as the packages `node` and `workerd` bring. Here a mount namespace hides their
// loader, and the scripts must run with the system's Node and the workerd of MINIFLARE_WORKERD_PATH alone.
// @module-tag slow
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canHideLoader, type WithoutLoader, withoutLoader } from "./without-loader.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const NODE = join(ROOT, "node_modules/node/bin/node");
const WORKERD = join(ROOT, "node_modules/@cloudflare/workerd-linux-64/bin/workerd");
const START_TIMEOUT_MS = 120_000;

describe.skipIf(!canHideLoader())("without the loader of generic ELF files", () => {
  let dir: string;
  let hidden: WithoutLoader;
  let environment: Record<string, string>;

  beforeAll(() => {
    dir = mkdtempSync("/tmp/ld-");
    hidden = withoutLoader(dir);
    hidden.patch(process.execPath, "node");
    environment = {
      PATH: process.env.PATH ?? "",
      HOME: dir,
      TMPDIR: dir,
      MINIFLARE_WORKERD_PATH: hidden.patch(WORKERD, "workerd"),
    };
  });

  afterAll(() => rmSync(dir, { recursive: true }));

  /** How `npm run` is called there; npm is a script for Node. */
  function npmRun(...args: string[]): string[] {
    const npm = realpathSync(execFileSync("which", ["npm"], { encoding: "utf8" }).trim());
    return hidden.arguments([join(hidden.bin, "node"), npm, "run", "--silent", ...args]);
  }

  test.each([
    ["node", NODE],
    ["workerd", WORKERD],
  ])("the packaged %s does not run", (_, program) => {
    const { status, stderr } = spawnSync("unshare", hidden.arguments([program, "--version"]), {
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({ status: 127, stderr: expect.stringContaining("not found") });
  });

  test("npm run keygen makes a key", () => {
    const { stdout, stderr } = spawnSync("unshare", npmRun("keygen", "--", "a-1"), {
      cwd: ROOT,
      env: environment,
      encoding: "utf8",
    });
    expect({ stdout, stderr }).toEqual({
      stdout: expect.stringMatching(/^a-1:\S+\n$/),
      stderr: expect.stringMatching(/^public key: a-1:/),
    });
  });

  test("npm run deploy builds the Worker", { timeout: START_TIMEOUT_MS }, () => {
    const { stdout, stderr } = spawnSync(
      "unshare",
      npmRun("deploy", "--", "--dry-run", "--outdir", join(dir, "dist")),
      { cwd: ROOT, env: { ...environment, WRANGLER_SEND_METRICS: "false" }, encoding: "utf8" },
    );
    expect(stderr + stdout).toContain("--dry-run: exiting now.");
  });

  test("npm start serves", { timeout: START_TIMEOUT_MS }, async () => {
    const vars = join(dir, "vars");
    writeFileSync(vars, "PUSH_TOKEN=token\n");
    const options = ["--port", "0", "--persist-to", join(dir, "state"), "--env-file", vars];
    const server = spawn("unshare", npmRun("start", "--", ...options), {
      cwd: ROOT,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let printed = "";
    const listening = new Promise<string>((done, fail) => {
      const read = (text: string) => {
        printed += text;
        const url = /The cache runs at (http:\S+)[\s\S]*Ctrl-C/.exec(printed)?.[1];
        if (url !== undefined) done(url);
      };
      server.stdout.setEncoding("utf8").on("data", read);
      server.stderr.setEncoding("utf8").on("data", read);
      server.on("exit", (code) => fail(new Error(`ended with ${code} after printing: ${printed}`)));
    });
    try {
      expect((await fetch(`${await listening}/nix-cache-info`)).status).toBe(200);
    } finally {
      server.kill("SIGTERM");
      if (server.exitCode === null) await once(server, "exit");
    }
  });
});
