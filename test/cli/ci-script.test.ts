/** The script for CI without the client, against a fake of GitHub's token endpoint, of the cache and of Nix. */
// @module-tag slow
import { execFile } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SCRIPT = resolve(import.meta.dirname, "../../ci/nix-cache.sh");
const IDENTITY = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-_";
const MINTED = "nixcache_eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ5In0.c2ln-_";

/** Says what there is in the store, and notes how it was called and with what netrc. */
const FAKE_NIX = `#!/bin/sh
printf '%s\\n' "$*" >> "$FAKE/calls"
case "$*" in
  *path-info*) cat "$FAKE/store" ;;
  *copy*) cat "$RUNNER_TEMP"/nix-cache-*/netrc-push >> "$FAKE/pushed-with" ;;
esac
`;

let dir: string;
let server: Server;
let origin: string;
let requests: { url: string; authorization: string | undefined; body: string }[];
let exchange: { status: number; body: string };
/** What the cache tells of itself: to everybody, or to those who are logged in. */
let description: { to: "everybody" | "readers"; body: string } | undefined;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "nix-cache-ci-"));
  writeFileSync(join(dir, "nix"), FAKE_NIX);
  chmodSync(join(dir, "nix"), 0o755);
  store("/nix/store/a-old\tultimate key:sig", "/nix/store/b-fetched\tcache.nixos.org-1:sig");
  requests = [];
  exchange = { status: 201, body: JSON.stringify({ id: "x", token: MINTED }) };
  description = undefined;
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const url = decodeURIComponent(request.url ?? "");
    requests.push({ url, authorization: request.headers.authorization, body });
    if (url.startsWith("/oidc?")) response.end(JSON.stringify({ count: 7, value: IDENTITY }));
    else if (url === "/api/v1/tokens/exchange") response.writeHead(exchange.status).end(exchange.body);
    else if (url === "/team/api/v1/cache" && description) {
      const isRefused = description.to === "readers" && request.headers.authorization === undefined;
      response.writeHead(isRefused ? 401 : 200).end(isRefused ? "" : description.body);
    } else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(() => {
  server.close();
  rmSync(dir, { recursive: true });
});

function store(...lines: string[]): void {
  writeFileSync(join(dir, "store"), `${lines.join("\n")}\n`);
}

function github(): Record<string, string> {
  return {
    GITHUB_ACTIONS: "true",
    ACTIONS_ID_TOKEN_REQUEST_URL: `${origin}/oidc?api-version=2.0`,
    ACTIONS_ID_TOKEN_REQUEST_TOKEN: "request-token",
  };
}

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

function run(args: string[], variables: Record<string, string> = {}): Promise<Ran> {
  const env = {
    PATH: `${dir}${delimiter}${process.env.PATH}`,
    HOME: dir,
    FAKE: dir,
    RUNNER_TEMP: dir,
    GITHUB_ENV: join(dir, "github-env"),
    NIX_CACHE_URL: `${origin}/team`,
    NIX_CACHE_PUBLIC_KEY: "a-1:AAAA\n b-1:BBBB",
    ...variables,
  };
  return new Promise((done) => {
    execFile("bash", [SCRIPT, ...args], { env }, (error, out, err) => {
      done({ code: error === null ? 0 : Number(error.code), out, err });
    });
  });
}

function file(name: string): string {
  return readFileSync(join(dir, `nix-cache-${process.getuid?.()}`, name), "utf8");
}

function copies(): string[] {
  return readFileSync(join(dir, "calls"), "utf8")
    .split("\n")
    .filter((line) => line.includes(" copy "));
}

/** Tokens may be shown only to be hidden. */
function expectNoToken({ out, err }: Ran): void {
  const shown = `${out}${err}`.replace(/^::add-mask::.*$/gm, "");
  for (const token of [IDENTITY, MINTED, "request-token"]) expect(shown).not.toContain(token);
}

describe("setup", () => {
  test("exchanges the identity token and tells Nix of the cache", async () => {
    const ran = await run(["setup"], github());
    expect(ran).toMatchObject({ code: 0 });
    expect(requests).toEqual([
      { url: "/team/api/v1/cache", authorization: undefined, body: "" },
      {
        url: `/oidc?api-version=2.0&audience=${origin}`,
        authorization: "Bearer request-token",
        body: "",
      },
      {
        url: "/api/v1/tokens/exchange",
        authorization: `Bearer ${IDENTITY}`,
        body: '{"expires_in": 3600, "permissions": ["pull"]}',
      },
    ]);
    expect(file("netrc")).toBe(`machine 127.0.0.1 login ci password ${MINTED}\n`);
    const netrc = join(dir, `nix-cache-${process.getuid?.()}`, "netrc");
    expect(statSync(netrc).mode & 0o777).toBe(0o600);
    expect(file("nix.conf")).toBe(
      [
        `extra-substituters = ${origin}/team`,
        "extra-trusted-public-keys = a-1:AAAA b-1:BBBB ",
        `netrc-file = ${netrc}`,
        "",
      ].join("\n"),
    );
    expect(readFileSync(join(dir, "github-env"), "utf8")).toMatch(
      /^NIX_USER_CONF_FILES=.*\/nix\.conf:.*\/\.config\/nix\/nix\.conf\n$/,
    );
    expect(ran.err).toContain(`::add-mask::${IDENTITY}\n::add-mask::${MINTED}\n`);
    expectNoToken(ran);
  });

  test("without an identity token, as for a fork, pulls what everybody may", async () => {
    const ran = await run(["setup"]);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/no identity token: a fork's pull request/);
    expect(file("nix.conf")).not.toContain("netrc");
    expect(requests).toEqual([]);
  });

  test("refused by the cache, says why and goes on", async () => {
    exchange = { status: 401, body: 'rule 1 of OIDC comes nearest, but the claim "ref"' };
    const ran = await run(["setup"], github());
    expect(ran.code).toBe(0);
    expect(ran.out).toContain('(401): rule 1 of OIDC comes nearest, but the claim "ref"');
    expect(existsSync(join(dir, `nix-cache-${process.getuid?.()}`, "netrc"))).toBe(false);
    expectNoToken(ran);
  });

  test.each([403, 404])(
    "of a cache that mints nothing (%d) uses the identity token itself",
    async (status) => {
      exchange = { status, body: "minting is switched off" };
      expect(await run(["setup"], github())).toMatchObject({ code: 0 });
      expect(file("netrc")).toBe(`machine 127.0.0.1 login ci password ${IDENTITY}\n`);
    },
  );

  test("with GitLab's token, which comes in a variable", async () => {
    const ran = await run(["setup"], { NIX_CACHE_ID_TOKEN: IDENTITY, NIX_CACHE_EXPIRES_IN: "600" });
    expect(ran.code).toBe(0);
    expect(requests.map(({ body }) => body)).toEqual(['{"expires_in": 600, "permissions": ["pull"]}']);
    expect(ran.err).not.toContain("::add-mask::");
    expectNoToken(ran);
  });
});

describe("with the URL alone", () => {
  const ONLY = { NIX_CACHE_PUBLIC_KEY: "" };
  const told = (changes: object = {}) =>
    JSON.stringify({
      ...{ name: "team", url: `${origin}/team`, public_keys: ["a-1:AA+/", "b-1:BBB="], signs: true },
      trusted_public_keys: ["builder-1:CCCC"],
      compression: "zstd",
      upstreams: [{ url: "https://cache.nixos.org", serve: "pushers", public_keys: ["u-1:DDDD"] }],
      oidc: [
        { issuer: "https://gitlab.com", audiences: [origin] },
        {
          issuer: "https://token.actions.githubusercontent.com",
          audiences: ["other", `${origin}/team`, origin],
        },
      ],
      ...changes,
    });
  const keys = () => /^extra-trusted-public-keys = (.*)$/m.exec(file("nix.conf"))?.[1]?.trim();
  const audiences = () => requests.flatMap(({ url }) => /audience=(.*)/.exec(url)?.[1] ?? []);

  test("setup has the keys and the audience from the cache, and asks it once", async () => {
    description = { to: "everybody", body: told() };
    expect(await run(["setup"], { ...github(), ...ONLY })).toMatchObject({ code: 0 });
    expect(keys()).toBe("a-1:AA+/ b-1:BBB=");
    expect(audiences()).toEqual([`${origin}/team`]);
    expect(requests.filter(({ url }) => url.endsWith("/cache"))).toHaveLength(1);
  });

  test("a private cache tells it after the login, with its URL as audience", async () => {
    description = { to: "readers", body: told() };
    expect(await run(["setup"], { ...github(), ...ONLY })).toMatchObject({ code: 0 });
    expect(keys()).toBe("a-1:AA+/ b-1:BBB=");
    expect(audiences()).toEqual([origin]);
  });

  test.each([
    ["of any issuer where GitHub has no rule", ["127.0.0.1/x"], "127.0.0.1/x"],
    ["of none", [], undefined],
    ["of another service", ["sts.amazonaws.com", "https://127.0.0.1.evil.example"], undefined],
  ])("the audience %s", async (_, ofRules, audience) => {
    const oidc = [{ issuer: "https://ghes.example/_services/token", audiences: ofRules }];
    description = { to: "everybody", body: told({ oidc }) };
    const ran = await run(["setup"], { ...github(), ...ONLY });
    expect(audiences()).toEqual([audience ?? origin]);
    for (const other of ofRules.filter((each) => each !== audience)) {
      expect(ran.out).toContain(`the audience ${other}, which is not its URL`);
    }
  });

  test("what is given wins", async () => {
    description = { to: "everybody", body: told() };
    await run(["setup"], { ...github(), NIX_CACHE_AUDIENCE: "given", NIX_CACHE_PUBLIC_KEY: "g-1:GGGG" });
    expect([keys(), audiences()]).toEqual(["g-1:GGGG", ["given"]]);
    expect(requests.filter(({ url }) => url.endsWith("/cache"))).toEqual([]);
  });

  test.each(["", "no JSON", "[]", told({ public_keys: [] })])(
    "a cache that tells no key (%j): the job goes on, and is told so",
    async (body) => {
      description = { to: "everybody", body };
      const ran = await run(["setup"], { ...github(), ...ONLY });
      expect(ran).toMatchObject({ code: 0, out: expect.stringContaining("tells no public key") });
      expect(keys()).toBeUndefined();
    },
  );

  test("what is no key does not come into nix.conf", async () => {
    const public_keys = ["ok-1:AAAA", "x\nsandbox = false", "a b:AAAA", "x:AA # ", "x"];
    description = { to: "everybody", body: told({ public_keys }) };
    await run(["setup"], { ...github(), ...ONLY });
    expect(keys()).toBe("ok-1:AAAA");
    expect(file("nix.conf").trim().split("\n")).toHaveLength(3);
  });

  test("push compresses as the cache prefers", async () => {
    description = { to: "everybody", body: told() };
    expect(await run(["push", ".#default"], github())).toMatchObject({ code: 0 });
    expect(copies()[0]).toContain(`copy --to ${origin}/team?compression=zstd --netrc-file`);
  });
});

describe("push", () => {
  test("sends what was built since setup: not what was there, nor what was fetched", async () => {
    await run(["setup"], github());
    store(
      "/nix/store/a-old\tultimate key:sig",
      "/nix/store/b-fetched\tcache.nixos.org-1:sig",
      "/nix/store/c-new\tultimate",
      "/nix/store/d-new\tultimate key:sig",
      "/nix/store/e-fetched\tcache.nixos.org-1:sig",
    );
    const ran = await run(["push"], github());
    expect(ran).toMatchObject({ code: 0 });
    expect(copies()).toEqual([
      expect.stringMatching(
        new RegExp(`copy --to ${origin}/team --netrc-file .*/netrc-push /nix/store/c-new /nix/store/d-new$`),
      ),
    ]);
    expect(readFileSync(join(dir, "pushed-with"), "utf8")).toContain(MINTED);
    const exchanges = requests.filter(({ body }) => body !== "");
    expect(exchanges.at(-1)?.body).toBe('{"expires_in": 3600, "permissions": ["push"]}');
    // The right to push is gone after the push.
    expect(existsSync(join(dir, `nix-cache-${process.getuid?.()}`, "netrc-push"))).toBe(false);
    expectNoToken(ran);
  });

  test("sends nothing where nothing was built", async () => {
    await run(["setup"], github());
    expect(await run(["push"], github())).toMatchObject({ code: 0 });
    expect(copies()).toEqual([]);
  });

  test("sends what it is told to, whatever the names are", async () => {
    expect(await run(["push", ".#default", "./a b; echo $HOME"], github())).toMatchObject({ code: 0 });
    expect(copies()[0]).toMatch(/netrc-push \.#default \.\/a b; echo \$HOME$/);
  });

  test("does nothing for a fork, and that is no error", async () => {
    const ran = await run(["push", ".#default"]);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/nothing is pushed/);
    expect(existsSync(join(dir, "calls"))).toBe(false);
  });

  test("fails where the cache refuses a token that is there", async () => {
    exchange = { status: 401, body: "rule 1 of OIDC comes nearest" };
    const ran = await run(["push", ".#default"], github());
    expect(ran.code).toBe(1);
    expect(ran.out).toContain("rule 1 of OIDC comes nearest");
    expect(existsSync(join(dir, "calls"))).toBe(false);
  });

  test("without setup says what is missing", async () => {
    const ran = await run(["push"], github());
    expect(ran).toMatchObject({ code: 1, err: expect.stringContaining("needs 'setup' before the build") });
  });
});

test.each([
  "",
  "cache.example.org",
  "http://cache.example.org",
  "http://localhost.evil.example",
  "https://cache.example.org/a/b",
  "https://user@cache.example.org",
  "https://cache.example.org\nsubstituters = https://evil.example",
])("%j is no URL of a cache, and no token goes there", async (url) => {
  const ran = await run(["setup"], { ...github(), NIX_CACHE_URL: url });
  expect(ran).toMatchObject({ code: 1, err: expect.stringMatching(/^nix-cache: NIX_CACHE_URL must be/) });
  expect(requests).toEqual([]);
});
