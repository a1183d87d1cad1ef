// The hook and the watchers with a real Nix that builds; what they push goes to a list in the place of a cache.
import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { watchStore } from "../../src/client/hook/store-watch.ts";
import { type Watched, watchExec } from "../../src/client/hook/watch-exec.ts";
import { configuredHook } from "../../src/client/store/hook.ts";
import { validPaths } from "../../src/client/store/valid.ts";
import { type Client, describeNix, newClient, removeScratch, scratchDir } from "./nix.ts";

const CLIENT = [process.execPath, resolve(import.meta.dirname, "../../src/client/main.ts")];

describeNix("what is built", () => {
  let physical: string;
  let file: string;
  let client: Client;
  let pushed: string[];
  let builds = 0;

  beforeAll(() => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    writeFileSync(
      file,
      `{ name, script ? "echo > $out" }:
      let
        build = name: script: derivation {
          inherit name;
          system = builtins.currentSystem;
          builder = "/bin/sh";
          args = [ "-c" script ];
        };
      in build name ": \${build "\${name}-dependency" "echo > $out"}; \${script}"`,
    );
    client = newClient({ physical });
  });

  beforeEach(() => {
    pushed = [];
    builds++;
  });

  afterAll(removeScratch);

  function build(script = "echo > $out"): string[] {
    return [
      ...["nix", "build", "--no-link", "--impure", "-f", file],
      ...["--argstr", "name", `built-${builds}`, "--argstr", "script", script],
    ];
  }

  function watched(command: string[], more: object = {}): Promise<Watched> {
    return watchExec({
      command,
      env: client.env,
      client: CLIENT,
      say: () => undefined,
      async push(paths) {
        pushed.push(...paths);
        return [];
      },
      ...more,
    });
  }

  test("by a command is pushed, each path once", async () => {
    expect(await watched(build())).toEqual({ code: 0, left: 0, pushed: 2 });
    expect(pushed.map((path) => path.replace(/.*\/[^-]*-/, "")).sort()).toEqual([
      `built-${builds}`,
      `built-${builds}-dependency`,
    ]);
    expect(await validPaths(pushed, client.env)).toEqual(pushed);
  });

  test("before a failure is pushed, and the failure is the command's", async () => {
    expect(await watched(build("exit 1"))).toMatchObject({ code: expect.any(Number), left: 0, pushed: 1 });
    expect(pushed).toEqual([expect.stringMatching(/-dependency$/)]);
  });

  test("does not wait for a cache that is down, nor fail because of it", async () => {
    const down = async () => {
      throw new Error("the cache is down");
    };
    expect(await watched(build(), { push: down })).toEqual({ code: 0, left: 2, pushed: 0 });
  });

  test("is seen by the hook that Nix is configured with, too", async () => {
    const own = client.write("own-hook", `#!/bin/sh\necho "$DRV_PATH" >> ${physical}/own\n`);
    const conf = { ...client.env, NIX_CONFIG: `post-build-hook = ${own}` };
    expect(await configuredHook(client.env)).toBe(undefined);
    expect(await configuredHook(conf)).toBe(own);
    chmodSync(own, 0o755);
    await watched(build(), { env: conf, before: own });
    expect(readFileSync(join(physical, "own"), "utf8").trim().split("\n")).toHaveLength(2);
    expect(pushed).toHaveLength(2);
  });

  test.each([
    [["sh", "-c", "exit 7"], 7],
    [["sh", "-c", "kill -TERM $$"], 143],
  ])("%j ends with %d", async (command, code) => {
    expect(await watched(command)).toEqual({ code, left: 0, pushed: 0 });
  });

  test("there is no such command", async () => {
    await expect(watched(["/missing"])).rejects.toThrow("cannot run /missing: there is no such program");
  });

  describe("is seen in the store without a hook", () => {
    test("when it is valid, and no derivation is", async () => {
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = watchStore({
        storeDir: `${physical}/store`,
        stop: stop.signal,
        checkMs: 50,
        validOf: (paths) => validPaths(paths, client.env),
        onValid: (paths) => seen.push(...paths),
      });
      await client.nix(...build().slice(1));
      await vi.waitFor(() => expect(seen).toHaveLength(2), { timeout: 20_000 });
      stop.abort();
      await watching;
      expect(seen.filter((path) => path.endsWith(".drv"))).toEqual([]);
      expect(seen.map((path) => path.replace(/.*\/[^-]*-/, "")).sort()).toEqual([
        `built-${builds}`,
        `built-${builds}-dependency`,
      ]);
    });
  });
});
