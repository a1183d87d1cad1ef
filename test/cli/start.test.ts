// `npm start` for real: wrangler tells its port to its parent by a message that no documentation promises.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as streamText } from "node:stream/consumers";
import { afterAll, beforeAll, expect, test } from "vitest";
import { generateSecretKey } from "../../src/nix/keys.ts";

const START_TIMEOUT_MS = 120_000;
let directory = "";
let server: ChildProcess;
let options: string[] = [];
let env: NodeJS.ProcessEnv = {};
let printed = "";
let warned = "";
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
  options = ["--port", "0", "--persist-to", join(directory, "state"), "--env-file", vars];
  env = { ...process.env, NIX_CACHE_SETTINGS: settings };
  await start();
}, START_TIMEOUT_MS);

/** Starts it and waits for what it prints when it is up. */
async function start(): Promise<void> {
  printed = "";
  server = spawn(process.execPath, ["src/cli/start.ts", ...options], {
    stdio: ["ignore", "pipe", "pipe"],
    env,
  });
  server.stderr?.setEncoding("utf8").on("data", (text: string) => {
    warned += text;
    process.stderr.write(text);
  });
  await new Promise<void>((done, fail) => {
    server.on("exit", (code) => fail(new Error(`ended with ${code} after printing: ${printed}`)));
    server.stdout?.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
      if (printed.includes("Ctrl-C")) done();
    });
  });
}

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

test("the token of the netrc file that it names may push, another one may not", async () => {
  const [, url, netrc = ""] = /runs at (http:\S+)[\s\S]* --netrc-file '([^']+)'/.exec(printed) ?? [];
  const put = async (password: string) => {
    const headers = { Authorization: `Basic ${btoa(`nix:${password}`)}` };
    const body = "StoreDir: /nix/store\n";
    return (await fetch(`${url}/nix-cache-info`, { method: "PUT", headers, body })).status;
  };
  expect(await readFile(netrc, "utf8")).toBe("machine localhost login nix password token-of-the-file\n");
  expect((await stat(netrc)).mode & 0o777).toBe(0o600);
  expect(printed).not.toContain("token-of-the-file");
  expect(await put("token-of-the-file")).toBe(200);
  expect(await put("wrong")).toBe(401);
});

test("it warns of nothing: not of the cron trigger either, which does not run here", () => {
  expect(warned).toBe("");
  expect(printed).not.toMatch(/WARNING|\/cdn-cgi\//);
});

test("a second one with the same data is refused, and says where the first is", async () => {
  const url = /The cache runs at (http:\S+)/.exec(printed)?.[1];
  const second = spawn(process.execPath, ["src/cli/start.ts", ...options], { stdio: "pipe" });
  const [text, [code]] = await Promise.all([streamText(second.stderr), once(second, "exit")]);
  expect({ text, code }).toEqual({
    text: `The cache of ${join(directory, "state")} already runs at ${url}\n`,
    code: 1,
  });
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

test(
  "killed, it leaves no server and nothing that stops the next start",
  async () => {
    await start();
    const url = /The cache runs at (http:\S+)/.exec(printed)?.[1];
    server.removeAllListeners("exit");
    server.kill("SIGKILL");
    await once(server, "exit");
    await expect
      .poll(
        () =>
          fetch(`${url}/nix-cache-info`).then(
            () => "answers",
            () => "gone",
          ),
        { timeout: START_TIMEOUT_MS },
      )
      .toBe("gone");
    await start();
    expect((await fetch(`${/The cache runs at (http:\S+)/.exec(printed)?.[1]}/health`)).status).toBe(200);
    server.removeAllListeners("exit");
  },
  START_TIMEOUT_MS,
);
