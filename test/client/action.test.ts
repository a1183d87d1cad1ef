/** GitHub's action, without packages as on a runner, against a fake of GitHub's token endpoint and of the cache. */
// @module-tag slow
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { note } from "../../src/client/hook/notes.ts";
import { execute } from "../real-nix/execute.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const IDENTITY = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-_";
const MINTED = "nixcache_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ5In0.c2ln-_";
const KEY = "a-1:AAAA";
const BUILT = `/nix/store/${"a".repeat(32)}-built`;

let action: string;
let dir: string;
let server: Server;
let origin: string;
let requests: { path: string; authorization: string | undefined; body: string }[];
let cache: { visibility: "public" | "private"; exchange: number; audiences: () => string[] };

beforeAll(() => {
  action = mkdtempSync(join(tmpdir(), "nix-cache-action-"));
  for (const file of ["action.yml", "src", "package.json"]) {
    cpSync(join(ROOT, file), join(action, file), { recursive: true });
  }
});

afterAll(() => rmSync(action, { recursive: true }));

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-job-"));
  // A Nix that fails, in the place of the machine's.
  mkdirSync(join(dir, "bin"));
  for (const name of ["nix", "nix-store"]) {
    writeFileSync(join(dir, "bin", name), "#!/bin/sh\necho error: no Nix here >&2; exit 1\n", {
      mode: 0o755,
    });
  }
  requests = [];
  cache = { visibility: "public", exchange: 200, audiences: () => [`${origin}/team`] };
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const path = request.url ?? "";
    const { authorization } = request.headers;
    requests.push({ path, authorization, body });
    const json = (status: number, value: object) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(value));
    if (path.startsWith("/oidc?")) json(200, { value: IDENTITY });
    else if (path.endsWith("/tokens/exchange"))
      json(cache.exchange, { token: MINTED, detail: "rule 1 comes nearest" });
    else if (path === "/team/api/v1/cache") {
      if (cache.visibility === "private" && authorization === undefined)
        json(404, { detail: "no such cache" });
      else {
        const oidc = [
          { issuer: "https://token.actions.githubusercontent.com", audiences: cache.audiences() },
        ];
        json(200, { public_keys: [KEY], visibility: cache.visibility, oidc });
      }
    } else json(404, {});
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

const OIDC = () => ({
  ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/oidc?api-version=2.0`,
  ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-token",
});

function run(step: "main" | "post", variables: Record<string, string> = {}) {
  const env = {
    PATH: `${join(dir, "bin")}:/usr/bin:/bin`,
    HOME: dir,
    NIX_CONF_DIR: dir,
    RUNNER_TEMP: dir,
    GITHUB_ENV: join(dir, "env"),
    GITHUB_STATE: join(dir, "state"),
    INPUT_URL: `${origin}/team`,
    ...variables,
  };
  return execute(process.execPath, [join(action, `src/action/${step}.ts`)], { env, cwd: dir });
}

function file(name: string): string {
  return join(dir, `nix-cache-${process.getuid?.()}`, name);
}

const notesState = () => ({ STATE_notes: file("notes") });

function exchanges(): unknown[] {
  return requests.filter(({ path }) => path.endsWith("exchange")).map(({ body }) => JSON.parse(body));
}

test("action.yml names files that are there, and a Node that runs them", () => {
  const text = readFileSync(join(action, "action.yml"), "utf8");
  for (const [, name = ""] of text.matchAll(/^ {2}(?:main|post): (\S+)$/gm)) {
    expect(existsSync(join(action, name))).toBe(true);
  }
  expect(text).toMatch(/^ {2}using: node24$/m);
});

describe("the first half", () => {
  test("needs the URL of a public cache only: no token is taken", async () => {
    const { code, stdout } = await run("main", OIDC());
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.not.stringMatching(/::/) });
    expect(readFileSync(file("nix.conf"), "utf8")).toBe(
      `extra-substituters = ${origin}/team\nextra-trusted-public-keys = ${KEY}\npost-build-hook = ${file("hook")}\n`,
    );
    expect(readFileSync(join(dir, "env"), "utf8")).toBe(
      `NIX_USER_CONF_FILES=${file("nix.conf")}:${dir}/.config/nix/nix.conf\n`,
    );
    expect(readFileSync(join(dir, "state"), "utf8")).toBe(`notes=${file("notes")}\n`);
    expect(existsSync(file("netrc"))).toBe(false);
    expect(requests.map(({ path }) => path)).toEqual(["/team/api/v1/cache"]);
  });

  test("of a private cache takes a token that may only pull", async () => {
    cache.visibility = "private";
    writeFileSync(join(dir, "netrc"), "machine other login a password b\n");
    const { code, stdout } = await run("main", OIDC());
    expect(code).toBe(0);
    expect(exchanges()).toEqual([{ expires_in: 3600, permissions: ["pull"] }]);
    expect(readFileSync(file("netrc"), "utf8")).toBe(
      `machine 127.0.0.1 login ci password ${MINTED}\nmachine other login a password b\n`,
    );
    expect(statSync(file("netrc")).mode & 0o777).toBe(0o600);
    expect(readFileSync(file("nix.conf"), "utf8")).toContain(`netrc-file = ${file("netrc")}\n`);
    expect(stdout).toContain(`::add-mask::${MINTED}`);
    expect(stdout.replace(/^::add-mask::.*$/gm, "")).not.toMatch(
      new RegExp(`${MINTED}|${IDENTITY}|request-token`),
    );
  });

  test("of a private cache in a fork's pull request goes on without it", async () => {
    cache.visibility = "private";
    const { code, stdout } = await run("main");
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining("::notice title=nix-cache::"),
    });
    expect(existsSync(file("netrc"))).toBe(false);
  });

  test("its hook notes what is built", async () => {
    await run("main");
    await execute(file("hook"), [], { env: { OUT_PATHS: BUILT } });
    const { stdout } = await execute("sh", ["-c", `cat ${file("notes")}/note-*`], {
      env: { PATH: "/usr/bin:/bin" },
    });
    expect(stdout).toBe(`${BUILT}\n`);
  });

  test("with push: false sets no hook", async () => {
    await run("main", { INPUT_PUSH: "false" });
    expect(readFileSync(file("nix.conf"), "utf8")).not.toContain("hook");
  });

  test.each([
    [{}, 0, "warning"],
    [{ INPUT_FAIL: "true" }, 1, "error"],
  ])(
    "of a cache that is down, with %j, exits with %d",
    { timeout: 60_000 },
    async (inputs, expected, kind) => {
      server.close();
      const { code, stdout } = await run("main", inputs);
      expect({ code, stdout }).toEqual({
        code: expected,
        stdout: expect.stringContaining(`::${kind} title`),
      });
    },
  );

  test.each([
    ["INPUT_URL", ""],
    ["INPUT_URL", "cache.example.org"],
    ["INPUT_URL", "http://cache.example.org"],
    ["INPUT_URL", "https://user:secret@cache.example.org"],
    ["INPUT_PUBLIC-KEY", "no key"],
  ])("the wrong %s '%s' fails, and nothing is sent", async (name, value) => {
    const { code, stdout } = await run("main", { ...OIDC(), [name]: value });
    expect({ code, stdout }).toEqual({
      code: 1,
      stdout: expect.stringContaining("::error title=nix-cache::"),
    });
    expect(requests).toEqual([]);
  });
});

describe("the second half", () => {
  beforeEach(() => mkdirSync(file("notes"), { recursive: true }));

  test("without a build takes no token", async () => {
    const { code, stdout } = await run("post", { ...OIDC(), ...notesState() });
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining("Nothing was built.") });
    expect(requests).toEqual([]);
  });

  test("takes the right to push only now, for the audience that the cache names", async () => {
    note(file("notes"), [BUILT]);
    // The push fails, and the job does not.
    await run("post", { ...OIDC(), ...notesState() });
    expect(exchanges()).toEqual([{ expires_in: 3600, permissions: ["push"] }]);
    expect(requests.map(({ path }) => path)).toContain(
      `/oidc?api-version=2.0&audience=${encodeURIComponent(`${origin}/team`)}`,
    );
  });

  test("takes no token of an audience that is not the cache's own: with it the cache could log in elsewhere", async () => {
    note(file("notes"), [BUILT]);
    cache.audiences = () => ["sts.amazonaws.com", `${origin}.evil.example`];
    await run("post", { ...OIDC(), ...notesState() });
    expect(requests.map(({ path }) => path)).toContain(
      `/oidc?api-version=2.0&audience=${encodeURIComponent(origin)}`,
    );
    expect(requests.filter(({ path }) => path.includes("amazonaws") || path.includes("evil"))).toEqual([]);
  });

  test("tells what became of the push", async () => {
    note(file("notes"), [BUILT]);
    const { code, stdout } = await run("post", { ...OIDC(), ...notesState() });
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining(
        "::warning title=nix-cache::1 of the paths that were built are not pushed",
      ),
    });
  });

  test("in a fork's pull request pushes nothing", async () => {
    note(file("notes"), [BUILT]);
    const { code, stdout } = await run("post", notesState());
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: expect.stringContaining("::notice title=nix-cache::nothing"),
    });
  });

  test.each([
    [{}, 0],
    [{ INPUT_FAIL: "true" }, 1],
  ])("refused by the cache, with %j, exits with %d and says why", async (inputs, expected) => {
    cache.exchange = 401;
    note(file("notes"), [BUILT]);
    const { code, stdout } = await run("post", { ...OIDC(), ...notesState(), ...inputs });
    expect({ code, stdout }).toEqual({
      code: expected,
      stdout: expect.stringContaining("rule 1 comes nearest"),
    });
  });
});
