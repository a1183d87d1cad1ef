// The whole way with a real Nix and a real server: a build, the hook, the daemon, the cache.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { hookScript } from "../../src/client/hook/script.ts";
import { execute } from "./execute.ts";
import { type Client, describeNix, newClient, removeScratch, scratchDir } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

const MAIN = resolve(import.meta.dirname, "../../src/client/main.ts");
const NOWHERE = "http://127.0.0.1:9";

describeNix("a build's paths", () => {
  let server: Server;
  let physical: string;
  let file: string;
  let client: Client;
  let name = "";
  let builds = 0;

  beforeAll(async () => {
    physical = scratchDir();
    file = join(physical, "default.nix");
    writeFileSync(
      file,
      `{ name }: derivation {
        inherit name;
        system = builtins.currentSystem;
        builder = "/bin/sh";
        args = [ "-c" "echo \${name} > $out" ];
      }`,
    );
    client = newClient({ physical });
    server = await startServer({ PUSH_TOKEN: "push", STORE_DIR: `${physical}/store` });
    Object.assign(client.env, { NIX_CACHE_URL: server.url, NIX_CACHE_TOKEN: "push" });
  });

  beforeEach(() => {
    builds++;
    name = `built-${builds}`;
  });

  afterAll(async () => {
    await server?.stop();
    removeScratch();
  });

  function build(...more: string[]): string[] {
    return ["build", "--no-link", "--impure", "-f", file, "--argstr", "name", name, ...more];
  }

  function run(...args: string[]) {
    return execute(process.execPath, [MAIN, ...args], { env: client.env, cwd: physical });
  }

  /** The names of the paths in the cache. */
  async function cached(): Promise<string[]> {
    const headers = { authorization: "Bearer push" };
    const answer = await fetch(`${server.url}/api/v1/paths?limit=1000`, { headers });
    const { paths } = (await answer.json()) as { paths: { store_path: string }[] };
    return paths.map(({ store_path }) => store_path.replace(/.*\/[^-]*-/, ""));
  }

  test("are in the cache when watch-exec ends", async () => {
    expect(await run("watch-exec", "--", "nix", ...build())).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("pushed what was built: 1 paths"),
    });
    expect(await cached()).toContain(name);
  });

  test("without a cache: watch-exec says that the build succeeded and the push did not", async () => {
    const { code, stderr } = await run("watch-exec", "--url", NOWHERE, "--", "nix", ...build());
    expect({ code, stderr }).toEqual({ code: 5, stderr: expect.stringContaining("1 could not be pushed") });
  });

  test("are pushed by the daemon that the hook tells of them, and the rest when it is stopped", async () => {
    const dir = join(physical, "hook");
    mkdirSync(dir);
    const hook = join(physical, "post-build-hook");
    writeFileSync(hook, hookScript({ client: [process.execPath, MAIN], dir }));
    chmodSync(hook, 0o755);
    const builder = newClient({ physical, conf: [`post-build-hook = ${hook}`] });
    const daemon = spawn(process.execPath, [MAIN, "hook", "serve", "--dir", dir], {
      env: client.env,
      stdio: ["ignore", "inherit", "inherit"],
    });
    await vi.waitFor(() => expect(readdirSync(dir)).toContain("queue.sqlite"), { timeout: 20_000 });
    await builder.nix(...build());
    await vi.waitFor(async () => expect(await cached()).toContain(name), { timeout: 20_000, interval: 100 });
    name = `${name}-last`;
    await builder.nix(...build());
    daemon.kill("SIGTERM");
    expect(await once(daemon, "exit")).toEqual([0, null]);
    expect(await cached()).toContain(name);
  });

  test("are pushed by watch-store without a hook", async () => {
    const watcher = spawn(process.execPath, [MAIN, "watch-store"], {
      env: client.env,
      stdio: ["ignore", "inherit", "pipe"],
    });
    await once(watcher.stderr, "data");
    await client.nix(...build());
    await vi.waitFor(async () => expect(await cached()).toContain(name), { timeout: 20_000, interval: 100 });
    watcher.kill("SIGTERM");
    expect(await once(watcher, "exit")).toEqual([0, null]);
  });
});
