/** `npm run config`: names every mistake before a deployment, shows what would change, and changes nothing itself. */
// @module-tag slow
import { copyFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { generateSecretKey } from "../../src/nix/keys.ts";
import { type Checkout, makeCheckout } from "./checkout.ts";

const TIMEOUT_MS = 60_000;

let checkout: Checkout;

beforeAll(async () => {
  checkout = await makeCheckout();
});
afterAll(() => checkout.remove());

const config = (...args: string[]) => checkout.run("src/deploy/config.ts", args);

const NOT_SHOWN =
  "It does not show, and so these were not compared: secrets, OIDC, TRUSTED_PUBLIC_KEYS, retention, other caches.";
const NIXOS = [{ url: "https://cache.nixos.org", serve: "pushers" }];

/** A cache that describes itself so. */
async function serve(described: object, health: object): Promise<{ server: Server; url: string }> {
  const version = { version: "0.2.0" };
  const description = {
    ...version,
    name: "nix-cache",
    store_dir: "/nix/store",
    visibility: "public",
    listing: "members",
    verification: "after",
    ...described,
  };
  const server = createServer(({ url }, response) => {
    response.end(JSON.stringify(url === "/health" ? { ...version, ...health } : description));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  return { server, url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}` };
}

describe("without a mistake", { timeout: TIMEOUT_MS }, () => {
  test("the example changes nothing, and no file is made", async () => {
    await copyFile(join(checkout.path, "nix-cache.example.toml"), join(checkout.path, "nix-cache.toml"));
    const before = await readdir(checkout.path);
    const { code, output } = await config();
    expect(output).toBe("No mistake. nix-cache.toml sets nothing that differs from the defaults.\n");
    expect(code).toBe(0);
    expect(new Set(await readdir(checkout.path))).toEqual(new Set(before));
  });

  test("every change is one line; a cache at --url is compared", async () => {
    await checkout.setOwn(
      'name = "team-cache"\n[[r2_buckets]]\nbinding = "BUCKET"\njurisdiction = "eu"\n[vars]\nPRIORITY = 30\n',
    );
    const { server, url } = await serve(
      { priority: 41, upstreams: [] },
      { status: "misconfigured", problems: ["STORE_DIR: must be an absolute path"] },
    );
    const { code, output } = await config("--url", url);
    server.close();
    expect(output.split("\n")).toEqual([
      "No mistake. nix-cache.toml changes:",
      '  name: "nix-cache" → "team-cache"',
      '  r2_buckets: [{ binding = "BUCKET", bucket_name = "nix-cache" }] → [{ binding = "BUCKET", bucket_name = "nix-cache", jurisdiction = "eu" }]',
      "  vars.PRIORITY: new, 30",
      `${url} is version 0.2.0: misconfigured`,
      "  STORE_DIR: must be an absolute path",
      "Of what it shows, a deployment changes:",
      "  priority: 41 → 30",
      '  upstreams: [] → ["https://cache.nixos.org (pushers)"]',
      NOT_SHOWN,
      "",
    ]);
    expect(code).toBe(0);
  });

  test("what a cache at --url does not show is not compared, and that is said", async () => {
    await checkout.setOwn("[vars]\nGC_GRACE_SECONDS = 172800\n");
    const { server, url } = await serve({ priority: 41, upstreams: NIXOS }, { status: "ok" });
    const { output } = await config("--url", url);
    server.close();
    expect(output.split("\n").slice(-4)).toEqual([
      `${url} is version 0.2.0: ok`,
      "Of what it shows, a deployment changes nothing.",
      NOT_SHOWN,
      "",
    ]);
  });

  test("an address that does not answer is no mistake", async () => {
    await checkout.setOwn(undefined);
    const { code, output } = await config("--url", "http://127.0.0.1:1");
    expect(output).toContain(
      "There are no settings of your own: nix-cache.example.toml shows how to make some.",
    );
    expect(output).toContain("Not compared: http://127.0.0.1:1/health does not answer");
    expect(code).toBe(0);
  });
});

describe("mistakes", { timeout: TIMEOUT_MS }, () => {
  test("all are named at once, in the words of /health, and no value is shown", async () => {
    await checkout.setOwn(`
ADMIN_TOKEN = "hunter1"
PRIORITY = 1
main = "other.ts"
nmae = "x"
[[r2_buckets]]
binding = "OTHER"
[vars]
PUSH_TOKEN = "hunter2"
STORE_DIR = "nix/store"
VISIBILITY = "hunter3"
[vars.CACHES.team]
retention = 3
`);
    const { code, output } = await config();
    for (const line of [
      "ADMIN_TOKEN: is a secret, which stands in no such file; set it by 'npm run wrangler -- secret put ADMIN_TOKEN'",
      "PRIORITY: is a variable, which belongs under [vars]",
      "main: belongs to the program, and changes with it in wrangler.toml",
      "nmae: unknown setting; allowed: name, ",
      "r2_buckets: must be one bucket",
      "PUSH_TOKEN: is a secret",
      "STORE_DIR: must be an absolute path",
      "VISIBILITY: is no variable; it looks like the setting visibility of a cache",
      "CACHES.team.retention: unknown setting; allowed: visibility, ",
    ]) {
      expect(output).toContain(`Problem: ${line}`);
    }
    expect(output).not.toMatch(/hunter|^\s+at /m);
    expect(code).toBe(1);
  });

  test("one of wrangler's own, and a file that is no TOML", async () => {
    await checkout.setOwn('placement = { mode = "clever" }\n');
    const wrong = await config();
    expect(wrong.output).toMatch(/^Problem: .*placement/m);
    expect(wrong.code).toBe(1);
    await checkout.setOwn('name = "x"\nPUSH_TOKEN = "hunter2\n');
    const broken = await config();
    expect(broken.output).toMatch(/^Problem: nix-cache.toml: .*in line 2$/m);
    expect(broken.output).not.toMatch(/hunter|^\s+at /m);
    expect(broken.code).toBe(1);
  });

  test("npm start refuses a secret in the file", async () => {
    await checkout.setOwn('[vars]\nPUSH_TOKEN = "hunter2"\n');
    const { code, output } = await checkout.run("src/cli/start.ts", []);
    expect(output).toContain("Problem: PUSH_TOKEN: is a secret, which stands in no such file");
    expect(output).not.toMatch(/hunter|^\s+at /m);
    expect(code).toBe(1);
  });
});

describe("signing_keys", { timeout: TIMEOUT_MS }, () => {
  const MUST = (name: string, cache = "ci") =>
    `Note: CACHES.${cache}.signing_keys: SIGNING_KEY must have a key named ${name}, or all caches refuse writes`;
  const devVars = (text: string) => writeFile(join(checkout.path, ".dev.vars"), text);
  // The start above has made one.
  beforeAll(() => rm(join(checkout.path, ".dev.vars"), { force: true }));

  test("each name is a note, because secrets are not known here", async () => {
    await checkout.setOwn(
      '[vars.CACHES]\nci = { signing_keys = ["ci-1", "ci-2"] }\nteam = { signing_keys = "team-1" }\nopen = { open = true, signing_keys = [] }\n',
    );
    const { code, output } = await config();
    expect(output.split("\n").slice(0, 4)).toEqual([
      MUST("ci-1"),
      MUST("ci-2"),
      MUST("team-1", "team"),
      "No mistake. nix-cache.toml changes:",
    ]);
    expect(code).toBe(0);
  });

  test("what .dev.vars makes a mistake is a note, once", async () => {
    await checkout.setOwn('[vars.CACHES]\nci = { signing_keys = ["ci-1"] }\n');
    await devVars(`PUSH_TOKEN=a\nPULL_TOKEN=a\nSIGNING_KEY=${(await generateSecretKey("mine-1")).secret}\n`);
    const { code, output } = await config();
    expect(output.split("\n").slice(0, 4)).toEqual([
      MUST("ci-1"),
      "Note: on this machine, with .dev.vars: PULL_TOKEN: is the same as PUSH_TOKEN or ADMIN_TOKEN, so that every reader could write; choose another",
      "Note: on this machine, with .dev.vars: CACHES.ci.signing_keys: SIGNING_KEY has no usable key ci-1",
      "No mistake. nix-cache.toml changes:",
    ]);
    expect(code).toBe(0);
  });

  test("a .dev.vars that fits is no note", async () => {
    await devVars(`PUSH_TOKEN=a\nSIGNING_KEY=${(await generateSecretKey("ci-1")).secret}\n`);
    const { output } = await config();
    expect(output).not.toContain(".dev.vars");
  });
});

test("below the wrong header: the place is named, once", { timeout: TIMEOUT_MS }, async () => {
  await checkout.setOwn(
    '[vars]\nroute = "x"\n[[vars.OIDC]]\nissuer = "https://gitlab.com"\naudience = "a"\nclaims = { project_path = "acme/app" }\npermissions = ["push"]\ncaches = ["nix-cache"]\nroutes = []\nPRIORITY = 30\n',
  );
  const { code, output } = await config();
  expect(output.split("\n")).toEqual([
    "Problem: routes: is a setting of the deployment; below [[vars.OIDC]] it belongs to that table. Move it above the first [table]",
    "Problem: PRIORITY: is a variable; below [[vars.OIDC]] it belongs to that table. Move it directly below [vars]",
    "Note: vars.route: nothing reads it; routes is probably meant, a setting of the deployment, which stands above the first [table]",
    "",
  ]);
  expect(code).toBe(1);
});

test("a mistake in a key is told once", { timeout: TIMEOUT_MS }, async () => {
  await checkout.setOwn('[vars]\nTRUSTED_PUBLIC_KEYS = ["broken"]\n');
  const { output } = await config();
  expect(output.match(/TRUSTED_PUBLIC_KEYS: key 1/g)).toHaveLength(1);
});

test("an edited wrangler.toml: the lines to move are printed", { timeout: TIMEOUT_MS }, async () => {
  await checkout.setOwn(undefined);
  await checkout.edit((text) =>
    text
      .replace('name = "nix-cache"', 'name = "mine"')
      .concat('\n[vars]\nPRIORITY = 30\nCACHES = { team = { visibility = "private" } }\n'),
  );
  const { code, output } = await config();
  expect(output).toContain(
    [
      "Note: wrangler.toml was edited, so that updates may conflict with it. Move these lines into nix-cache.toml, then run 'git checkout wrangler.toml':",
      '    name = "mine"',
      "",
      "    [vars]",
      "    PRIORITY = 30",
      "",
      "    [vars.CACHES.team]",
      '    visibility = "private"',
      "",
    ].join("\n"),
  );
  expect(code).toBe(0);
});
