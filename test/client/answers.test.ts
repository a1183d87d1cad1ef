// What the client makes of answers that are no nix-cache's, and of failures: an exit code, a line, and JSON where it was
// asked for.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retrying } from "../../src/client/http/retry.ts";

const MAIN = resolve(import.meta.dirname, "../../src/client/main.ts");
const home = mkdtempSync(join(tmpdir(), "nix-cache-answers-"));
const KEY = `evil-1:${"A".repeat(43)}=`;
const DESCRIPTION = { public_keys: [KEY], store_dir: "/nix/store", visibility: "public" };

const ANSWERS: Readonly<Record<string, [status: number, body: string, headers?: Record<string, string>]>> = {
  html: [200, "<html>login</html>", { "content-type": "text/html" }],
  list: [200, "[]"],
  null: [200, "null"],
  other: [200, '{"name":"something else"}'],
  moved: [301, "", { location: "https://cache.example.org/" }],
  injected: [200, JSON.stringify({ ...DESCRIPTION, public_keys: [`${KEY}\npost-build-hook = /tmp/evil`] })],
  comment: [200, JSON.stringify({ ...DESCRIPTION, public_keys: [`#${KEY}`] })],
  good: [200, JSON.stringify(DESCRIPTION)],
  control: [200, JSON.stringify({ name: "\u001b]0;title\u0007", grants: [] })],
  absent: [404, "<html>Not Found</html>", { "content-type": "text/html" }],
  read: [405, "Method Not Allowed"],
  // Of a name that this Worker's CACHES does not declare.
  undeclared: [404, "no such path in a binary cache; see /"],
  private: [
    401,
    JSON.stringify({
      detail:
        "this cache is private, and no token was sent; send a valid one as 'Authorization: Bearer TOKEN', or for Nix in a line 'machine 127.0.0.1 login any password TOKEN' of its netrc-file",
    }),
    { "content-type": "application/problem+json" },
  ],
  unknown: [404, '{"detail":"there is no such pin"}', { "content-type": "application/problem+json" }],
  stranger: [403, '{"detail":"no"}', { "content-type": "application/problem+json" }],
};

const server = createServer((request, response) => {
  const [status, body, headers] = ANSWERS[request.url?.split("/")[1] ?? ""] ?? [404, ""];
  response.writeHead(status, headers).end(body);
});

beforeAll(() => once(server.listen(0, "127.0.0.1"), "listening"));
afterAll(() => {
  server.close();
  rmSync(home, { recursive: true });
});

async function run(name: string, ...args: string[]) {
  return runWith({}, name, ...args);
}

async function runWith(more: Record<string, string>, name: string, ...args: string[]) {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/${name}`;
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { PATH: process.env.PATH, HOME: home, NIX_CONF_DIR: join(home, "etc"), NIX_CACHE_URL: url, ...more },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  const [code] = await once(child, "close");
  return { code, stdout, stderr };
}

test.each([
  ["html", 3, "did not answer with JSON"],
  ["list", 3, "is it a nix-cache?"],
  ["null", 3, "is it a nix-cache?"],
  ["other", 3, "is it a nix-cache?"],
  ["moved", 4, "a redirection to https://cache.example.org/"],
  ["injected", 3, "a public key that is none"],
  ["comment", 3, "a public key that is none"],
])("use of %s changes nothing: exit %i", async (name, code, line) => {
  const answer = await run(name, "use", "--system");
  expect(answer).toMatchObject({ code, stderr: expect.stringContaining(line) });
  expect(answer.stderr).not.toContain("\u001b");
  expect(() => readFileSync(join(home, "etc/nix.conf"))).toThrow("ENOENT");
});

test.each([
  ["absent", ["use"]],
  ["undeclared", ["use", "--nixos", "/nonexistent"]],
  ["absent", ["stats"]],
  ["absent", ["whoami"]],
  ["read", ["gc"]],
  ["undeclared", ["pin", "list"]],
])("%s, %j: there is no cache", async (name, args) => {
  const { code, stderr } = await run(name, ...args);
  expect(code).toBe(4);
  expect(stderr).toMatch(/^error: there is no nix-cache at http:\S+\/[a-z]+: check the address\n$/);
});

test("what the cache itself does not have is told in its own words", async () => {
  const { stderr } = await run("unknown", "pin", "show", "app");
  expect(stderr).toBe("error: GET /api/v1/pins/app: 404: there is no such pin\n");
});

test.each([
  ["absent", "there is no cache at"],
  ["undeclared", "there is no cache at"],
  ["html", "is it a nix-cache?"],
])("doctor of %s looks no further", async (name, detail) => {
  const { code, stdout } = await run(name, "doctor", "--json");
  expect(code).toBe(1);
  expect(JSON.parse(stdout)).toEqual([
    { check: "cache", state: "fault", detail: expect.stringContaining(detail), remedy: expect.any(String) },
  ]);
});

test.each([[["use"]], [["stats"]], [["whoami"]]])("%j of a private cache asks for a token", async (args) => {
  const { code, stderr } = await run("private", ...args);
  expect(code).toBe(4);
  expect(stderr).toMatch(
    /: 401: this cache is private, and no token was sent; give one with --token-file FILE \(or NIX_CACHE_TOKEN_FILE\)\n$/,
  );
});

test("a token that is refused: where it is from", async () => {
  const { stderr } = await runWith({ NIX_CACHE_TOKEN: "wrong" }, "private", "use");
  expect(stderr).toMatch(/was sent; it is from NIX_CACHE_TOKEN\n$/);
});

test.each([
  ["one", "; it is from NETRC\n$"],
  [
    "",
    "; give one with \\S+ FILE \\(or \\S+\\); NETRC has 2 lines for 127.0.0.1; the first counts, and has no password\n$",
  ],
  ["two", "; it is from NETRC; NETRC has 2 lines for 127.0.0.1; the first counts\n$"],
])("netrc with '%s' before the token one", async (first, end) => {
  const file = join(home, "lines");
  const lines = [first, "one"].map((password) => `machine 127.0.0.1 login nix password ${password}\n`);
  writeFileSync(file, lines.join(""));
  const { stderr } = await run("private", "stats", "--netrc-file", file);
  expect(stderr).toMatch(new RegExp(end.replaceAll("NETRC", file)));
});

test("use of a cache whose answer is right", async () => {
  expect(await run("good", "use", "--system", "--dry-run")).toMatchObject({ code: 0 });
});

test("what a cache answers does not steer the terminal", async () => {
  expect((await run("control", "whoami")).stdout).toContain("?]0;title?");
});

test.each([
  [["stats", "--json"], 4, { kind: "refused", status: 403 }],
  [["stats", "--json", "--nonsense"], 2, { kind: "usage" }],
  [["nonsense", "--json"], 2, { kind: "usage" }],
  [["push", "--json", "--pin", "..", "/nix/store/x"], 2, { kind: "usage" }],
  [["push", "--json", ""], 2, { kind: "usage" }],
])("%j: standard output is JSON", async (args, code, error) => {
  const answer = await run("stranger", ...args);
  expect(answer.code).toBe(code);
  expect(JSON.parse(answer.stdout)).toMatchObject({ error: { message: expect.any(String), ...error } });
});

test("a redirection of an upload is no success", async () => {
  const answer = { status: 302, headers: { location: "/elsewhere" }, body: Buffer.of() };
  const send = retrying(async () => answer, { attempts: 1, firstDelayMs: 0 });
  await expect(send({ method: "PUT", path: "/x.narinfo" })).rejects.toThrow("a redirection to /elsewhere");
});

test("help of a command that there is not", async () => {
  expect(await run("good", "help", "nonsense")).toMatchObject({ code: 2 });
  expect(await run("good", "--quiet", "stats")).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("the command comes first"),
  });
});

test("nobody reads the messages: the exit code stays", () => {
  const script = `"$@" 2>&1 >/dev/null | true; exit \${PIPESTATUS[0]}`;
  const { status } = spawnSync("bash", ["-c", script, "bash", process.execPath, MAIN, "nonsense"]);
  expect(status).toBe(2);
});
