// Tokens of every kind as the password of a netrc, and the CI script, against the dev server.
import { execFile } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createIssuer, type TestIssuer } from "../support/oidc-issuer.ts";
import { type OidcServer, startOidcServer } from "../support/oidc-server.ts";
import { generateClosure } from "./closure.ts";
import { expectSameClosure } from "./compare.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, emptyStore, newClient, removeScratch, scratchDir } from "./nix.ts";
import { type Server, startServer } from "./server.ts";

const SIZE = 42;
const SCRIPT = resolve(import.meta.dirname, "../../ci/nix-cache.sh");
const AUDIENCE = "https://cache.example.org";
const key = newKey("cache.test-1");
const TRUST = [`trusted-public-keys = ${key.public}`];

let oidc: OidcServer;
let issuer: TestIssuer;

/** Of a job on the main branch of the repository that may push. */
function identity(claims: Record<string, unknown> = {}): Promise<string> {
  return issuer.token({ aud: AUDIENCE, sub: "repo:acme/app", repository: "acme/app", ...claims });
}

function variables(): Record<string, string> {
  const claims = { repository: "acme/app" };
  const rule = { issuer: issuer.url, audience: AUDIENCE, claims, permissions: ["push"], caches: ["*"] };
  return {
    ADMIN_TOKEN: "admin",
    TOKEN_SECRET: "0123456789abcdef0123456789abcdef",
    SIGNING_KEY: key.secret,
    CACHES: JSON.stringify({ secret: { visibility: "private" } }),
    OIDC: JSON.stringify([rule]),
  };
}

async function admin<T>(server: Server, method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${server.url}/api/v1${path}`, {
    method,
    headers: { authorization: "Bearer admin" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  expect(response.status).toBe(200);
  return (await response.json()) as T;
}

describeNix("tokens", () => {
  let server: Server;
  beforeAll(async () => {
    oidc = await startOidcServer();
    issuer = await createIssuer(oidc.url);
    server = await startServer(variables());
  });
  afterAll(async () => {
    await server.stop();
    await oidc.close();
    removeScratch();
  });

  const mint = (permission: string, cache: string) =>
    admin<{ id: string; token: string }>(server, "POST", "/tokens", {
      name: `test-${permission}`,
      permissions: [permission],
      caches: [cache],
      expires_in: 3600,
    });

  async function refused(client: Client, url: string, line: RegExp): Promise<void> {
    const { code, stderr } = await client.run("copy", "--to", url, await generateClosure(client, SIZE));
    expect(code).not.toBe(0);
    expect(stderr).toMatch(line);
  }

  test("a private named cache is pulled from with netrc, and is not there without", async () => {
    const url = `${server.url}/secret`;
    const pusher = newClient({ token: (await mint("push", "secret")).token });
    const top = await generateClosure(pusher, SIZE);
    await pusher.nix("copy", "--to", url, top);
    const puller = newClient({ token: (await mint("pull", "secret")).token, conf: TRUST });
    await puller.nix("copy", "--from", url, top);
    await expectSameClosure(pusher, puller, top, SIZE);
    for (const token of [undefined, "wrong", (await mint("admin", "nix-cache")).token]) {
      const stranger = newClient({ ...(token !== undefined && { token }), conf: TRUST });
      expect((await stranger.run("copy", "--from", url, top)).code).not.toBe(0);
    }
    // Nor is it in the default cache, which is open to all.
    expect((await newClient({ conf: TRUST }).run("copy", "--from", server.url, top)).code).not.toBe(0);
  });

  test("an identity token is the password of a push", async () => {
    const pusher = newClient({ token: await identity() });
    const top = await generateClosure(pusher, SIZE);
    await pusher.nix("copy", "--to", server.url, top);
    const puller = newClient({ conf: TRUST });
    await puller.nix("copy", "--from", server.url, top);
    await expectSameClosure(pusher, puller, top, SIZE);
  });

  test("another repository's is refused, and Nix shows which claim did not match", async () => {
    const other = newClient({ token: await identity({ repository: "evil/app" }) });
    await refused(other, server.url, /claim "repository" is "evil\/app" and must be "acme\/app"/);
  });

  test("a minted token pushes until it is revoked", async () => {
    const { id, token } = await mint("push", "nix-cache");
    const pusher = newClient({ token });
    await pusher.nix("copy", "--to", server.url, await generateClosure(pusher, SIZE));
    await admin(server, "DELETE", `/tokens/${id}`);
    await refused(newClient({ token }), server.url, /token token:test-push has been revoked/);
  });

  test("a token for reading is refused when it pushes", async () => {
    const puller = newClient({ token: (await mint("pull", "*")).token });
    await refused(puller, server.url, /token:test-pull may pull only; this needs the push permission/);
  });
});

describeNix("ci/nix-cache.sh", () => {
  let server: Server;
  let github: HttpServer;
  let physical: string;
  let token: string;
  let asked: (string | undefined)[];

  beforeAll(async () => {
    oidc = await startOidcServer();
    issuer = await createIssuer(oidc.url);
    physical = scratchDir();
    server = await startServer({ ...variables(), STORE_DIR: `${physical}/store` });
    github = createServer((request, response) => {
      asked.push(
        request.headers.authorization,
        new URL(request.url ?? "", "http://x").searchParams.get("audience") ?? "",
      );
      response.end(JSON.stringify({ count: token.length, value: token }));
    });
    await new Promise<void>((done) => github.listen(0, "127.0.0.1", done));
  });
  afterAll(async () => {
    github.close();
    await server.stop();
    await oidc.close();
    removeScratch();
  });

  function script(client: Client, temp: string, ...args: string[]) {
    const env = {
      ...client.env,
      RUNNER_TEMP: temp,
      GITHUB_ENV: join(temp, "github-env"),
      NIX_CACHE_URL: `${server.url}/secret`,
      NIX_CACHE_PUBLIC_KEY: key.public,
      NIX_CACHE_AUDIENCE: AUDIENCE,
      ACTIONS_ID_TOKEN_REQUEST_URL: `http://127.0.0.1:${(github.address() as AddressInfo).port}/?v=2`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-token",
    };
    return new Promise<{ code: number; output: string }>((done) => {
      execFile("bash", [SCRIPT, ...args], { env }, (error, out, err) =>
        done({ code: error === null ? 0 : Number(error.code), output: `${out}${err}` }),
      );
    });
  }

  /** A machine of its own that builds something. */
  function machine(): { client: Client; temp: string; build: (name: string) => Promise<string> } {
    emptyStore(physical);
    const client = newClient({ physical });
    const temp = scratchDir();
    const file = join(temp, "default.nix");
    const mark = join(temp, "mark");
    const command = `echo built >> ${mark}; echo made by CI > $out`;
    writeFileSync(
      file,
      `{ name }: derivation { inherit name; system = builtins.currentSystem; builder = "/bin/sh"; args = [ "-c" "${command}" ]; }`,
    );
    const build = async (name: string) => {
      const json = await client.nix("build", "--no-link", "--json", "-f", file, "--argstr", "name", name);
      return (JSON.parse(json) as [{ outputs: { out: string } }])[0].outputs.out;
    };
    return { client, temp, build };
  }

  test("sets up, pushes what was built to a private cache, and the next job pulls it", async () => {
    asked = [];
    token = await identity();
    const first = machine();
    const early = await first.build("early");
    const setup = await script(first.client, first.temp, "setup");
    expect(setup).toMatchObject({
      code: 0,
      output: expect.stringContaining(`Nix pulls from ${server.url}/secret`),
    });
    expect(asked).toEqual(["Bearer request-token", AUDIENCE]);
    const built = await first.build("app");
    const push = await script(first.client, first.temp, "push");
    expect([push.code, push.output]).toEqual([0, expect.stringContaining("1 paths were built here")]);
    for (const { output } of [setup, push]) expect(output).not.toMatch(/eyJ|request-token/);
    const narinfo = (path: string) =>
      fetch(`${server.url}/secret/${path.slice(physical.length + 7, physical.length + 39)}.narinfo`, {
        headers: { authorization: "Bearer admin" },
      });
    expect([(await narinfo(built)).status, (await narinfo(early)).status]).toEqual([200, 404]);
    // Another machine, another job: Nix needs only the files that the script has written.
    const next = machine();
    await script(next.client, next.temp, "setup");
    const [, conf = ""] =
      /NIX_USER_CONF_FILES=(.*)/.exec(readFileSync(join(next.temp, "github-env"), "utf8")) ?? [];
    next.client.env.NIX_USER_CONF_FILES = conf;
    await next.client.nix("copy", "--from", `${server.url}/secret`, built);
    expect(readFileSync(built, "utf8")).toBe("made by CI\n");
  });

  test("of a job that no rule lets in says why and pushes nothing", async () => {
    asked = [];
    token = await identity({ repository: "evil/app" });
    const job = machine();
    const setup = await script(job.client, job.temp, "setup");
    expect(setup).toMatchObject({ code: 0, output: expect.stringContaining('must be \\"acme/app\\"') });
    await job.build("app");
    const push = await script(job.client, job.temp, "push");
    expect(push).toMatchObject({ code: 1, output: expect.stringContaining("nothing is pushed") });
    expect(existsSync(join(job.temp, `nix-cache-${process.getuid?.()}`, "netrc"))).toBe(false);
  });
});
