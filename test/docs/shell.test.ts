// Every shell block of README.md and docs/ runs, from a fresh clone where it makes one, against a local cache.
import { execFileSync } from "node:child_process";
import { readlinkSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { newKey } from "../real-nix/keys.ts";
import { describeNix, nixVersion, removeScratch, scratchDir } from "../real-nix/nix.ts";
import { type Server, startServer } from "../real-nix/server.ts";
import { freePort } from "../support/free-port.ts";
import { gitConfig, makeOrigin } from "./clone.ts";
import { documents, PROJECT } from "./markdown.ts";
import { newSandbox } from "./sandbox.ts";
import { runBlocks, shellBlocks } from "./session.ts";
import { translator } from "./translate.ts";

const STDERR = 2;
/** Their readers work in a clone of this project; other readers in a project of their own. */
const IN_A_CLONE = /^docs\/(operating|internals)\//;

const sessions = documents().map((document) => ({ document, file: document.file, ...shellBlocks(document) }));

test("a Nix to run the documents with", (context) => {
  const message = "the documents' shell blocks were not run: no nix on this machine";
  if (nixVersion === undefined) {
    writeSync(STDERR, `${message}\n`);
    expect(process.env.REQUIRE_NIX ?? "", `REQUIRE_NIX is set, but ${message}`).toBe("");
    context.skip(message);
  }
  const skipped = sessions.flatMap(({ file, skipped }) =>
    skipped.map(({ line, reason }) => `  ${file}:${line}: ${reason}\n`),
  );
  const count = sessions.reduce((sum, { run }) => sum + run.length, 0);
  writeSync(
    STDERR,
    `shell blocks run with Nix ${nixVersion}: ${count}; not run:\n${skipped.join("") || "  none\n"}`,
  );
  if (!process.env.DOCS_NPM_CI) {
    writeSync(
      STDERR,
      "npm ci of the documents only links this checkout's packages; with DOCS_NPM_CI=1 it installs\n",
    );
  }
});

describeNix("the shell blocks", () => {
  const key = newKey("cache.example.org-1");
  const variables = { PUSH_TOKEN: "push-token", ADMIN_TOKEN: "admin-token", PULL_TOKEN: "" };
  let server: Server;
  let physical: string;
  let origin: string;
  let token: string;

  beforeAll(async () => {
    physical = scratchDir();
    origin = makeOrigin();
    server = await startServer({
      ...variables,
      TOKEN_SECRET: "s".repeat(43),
      SIGNING_KEY: key.secret,
      STORE_DIR: `${physical}/store`,
      CACHES: JSON.stringify({ team: {} }),
    });
    token = await mint(server.url);
  });

  afterAll(async () => {
    await server?.stop();
    removeScratch();
  });

  /** A token with every permission on every cache. */
  async function mint(url: string): Promise<string> {
    const response = await fetch(`${url}/api/v1/tokens`, {
      method: "POST",
      headers: { authorization: `Bearer ${variables.ADMIN_TOKEN}` },
      body: JSON.stringify({
        name: "documents",
        permissions: ["pull", "push", "admin"],
        caches: ["*"],
        expires_in: 366 * 24 * 3600,
      }),
    });
    const body = await response.text();
    expect(response.status, body).toBe(200);
    return JSON.parse(body).token;
  }

  test.each(sessions.filter(({ run }) => run.length > 0))("of $file", async ({ document, file, run }) => {
    const sandbox = newSandbox(physical, file);
    const git = (...args: string[]) => execFileSync("git", args, { env: sandbox.env });
    writeFileSync(join(sandbox.env.HOME ?? "", ".gitconfig"), gitConfig(origin));
    execFileSync("nix", ["build", ".#default"], { cwd: sandbox.work, env: sandbox.env });
    const storePath = readlinkSync(join(sandbox.work, "result"));
    let work = sandbox.work;
    if (IN_A_CLONE.test(file)) {
      work = join(sandbox.work, "nix-cache");
      git("clone", "--quiet", origin, work);
      symlinkSync(join(PROJECT, "node_modules"), join(work, "node_modules"));
      symlinkSync(storePath, join(work, "result"));
    }
    writeFileSync(join(work, "push-token"), token, { mode: 0o600 });
    const startPort = await freePort();
    await runBlocks(
      document,
      run,
      { ...sandbox, work },
      {
        ...variables,
        TOKEN: token,
        NIX_CACHE_TOKEN: token,
        OUT: storePath,
        MODULES: join(PROJECT, "node_modules"),
        START_PORT: String(startPort),
        INSPECTOR_PORT: String(await freePort()),
      },
      translator({ url: server.url, publicKey: key.public, token, startPort, storePath, dir: sandbox.dir }),
    );
  });
});
