// `npm start` for real: wrangler tells its port to its parent by a message that no documentation promises.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateSecretKey } from "../../src/nix/keys.ts";

const START_TIMEOUT_MS = 120_000;
let directory = "";
let server: ChildProcess;
let printed = "";
let publicKey = "";

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "nix-cache-start-"));
  const key = await generateSecretKey("test-1");
  publicKey = key.public;
  const vars = join(directory, "vars");
  await writeFile(vars, `PUSH_TOKEN=token-of-the-file\nSIGNING_KEY=${key.secret}\n`);
  // With a file of its own this start leaves the developer's `.dev.vars` and data alone.
  const settings = join(directory, "settings.toml");
  await writeFile(settings, 'name = "of-the-deployment"\n[vars]\nPRIORITY = 30\n');
  const options = ["--port", "0", "--persist-to", join(directory, "state"), "--env-file", vars];
  server = spawn(process.execPath, ["src/cli/start.ts", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NIX_CACHE_SETTINGS: settings },
  });
  server.stderr?.on("data", (bytes) => process.stderr.write(bytes));
  await new Promise<void>((done, fail) => {
    server.on("exit", (code) => fail(new Error(`ended with ${code} after printing: ${printed}`)));
    server.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (printed.includes("Ctrl-C")) done();
    });
  });
}, START_TIMEOUT_MS);

afterAll(async () => {
  await stop();
  await rm(directory, { recursive: true });
});

/** Returns the exit code. A SIGKILL would leave wrangler behind. */
async function stop(): Promise<number | null> {
  if (server.exitCode === null && server.kill("SIGTERM")) await once(server, "exit");
  return server.exitCode;
}

test("it prints an address that answers, and the public key of its secret one", async () => {
  const url = /The cache runs at (http:\S+)/.exec(printed)?.[1];
  expect((await fetch(`${url}/nix-cache-info`)).status).toBe(200);
  expect(printed).toContain(`extra-trusted-public-keys = ${publicKey}\n`);
});

test("it has the variables of one's own settings", async () => {
  const url = /The cache runs at (http:\S+)/.exec(printed)?.[1];
  expect(await (await fetch(`${url}/nix-cache-info`)).text()).toContain("Priority: 30\n");
});

test("the token that it prints may push, another one may not", async () => {
  const [, url, token] = /runs at (http:\S+)[\s\S]* password (\S+)/.exec(printed) ?? [];
  const put = async (password: string) => {
    const headers = { Authorization: `Basic ${btoa(`nix:${password}`)}` };
    const body = "StoreDir: /nix/store\n";
    return (await fetch(`${url}/nix-cache-info`, { method: "PUT", headers, body })).status;
  };
  expect(token).toBe("token-of-the-file");
  expect(await put(token ?? "")).toBe(200);
  expect(await put("wrong")).toBe(401);
});

test(
  "a stop that is asked for is no failure",
  async () => {
    server.removeAllListeners("exit");
    const code = new Promise((done) => server.on("exit", done));
    server.kill("SIGTERM");
    expect(await code).toBe(0);
  },
  START_TIMEOUT_MS,
);
