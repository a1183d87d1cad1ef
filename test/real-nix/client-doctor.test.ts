// `nix-cache use`, `unuse` and `doctor` with a real Nix and a home of its own: each fault is provoked and found.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { checkCache } from "../../src/client/doctor/of-cache.ts";
import { cacheAt } from "../../src/client/http/api.ts";
import { generateClosure } from "./closure.ts";
import { newKey } from "./keys.ts";
import { type Client, describeNix, newClient } from "./nix.ts";
import { nixCache, runNixCache } from "./nix-cache.ts";
import { startProxy } from "./proxy.ts";
import { serve } from "./serve.ts";
import { addPath, hashPart } from "./store-object.ts";

const key = newKey("cache.test-1");
const other = newKey("cache.test-1");
/** One that takes paths without their references. */
const CACHES = '{"open":{"open":true}}';

type Found = { check: string; state: string; detail: string; remedy?: string };

const confOf = (client: Client) => join(client.env.NIX_CONF_DIR ?? "", "nix.conf");
const conf = (...lines: string[]) => ({ conf: lines });

async function addFile(client: Client, name: string): Promise<string> {
  return addPath(client, client.write(name, String(Math.random())), name);
}

describeNix("a public cache", () => {
  const server = serve({ PUSH_TOKEN: "push", ADMIN_TOKEN: "admin", SIGNING_KEY: key.secret, CACHES });
  const trusting = () => [`extra-substituters = ${server.url}`, `extra-trusted-public-keys = ${key.public}`];

  async function doctor(
    client: Client,
    more: Record<string, string> = {},
    ...args: string[]
  ): Promise<Found[]> {
    const variables = { NIX_CACHE_URL: server.url, ...more };
    const { stdout, stderr, code } = await runNixCache(client, variables, "doctor", "--json", ...args);
    expect(stderr).not.toMatch(/^error:/m);
    const found: Found[] = JSON.parse(stdout);
    expect(code).toBe(found.some(({ state }) => state === "fault") ? 1 : 0);
    for (const { state, remedy } of found)
      expect(remedy === undefined).toBe(["ok", "skipped"].includes(state));
    return found;
  }

  const faultsOf = (found: Found[]) => found.filter(({ state }) => ["fault", "warning"].includes(state));

  test("use, pull by what it has written, unuse", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "used");
    expect(await nixCache(pusher, server.url, "push", "push", path)).toMatchObject({ code: 0 });
    const client = newClient({ conf: ["# mine", "cores = 1"] });
    const before = readFileSync(confOf(client), "utf8");

    expect(faultsOf(await doctor(client)).map(({ check }) => check)).toEqual(["substituter", "key"]);
    const dry = await nixCache(client, server.url, undefined, "use", "--dry-run");
    expect(dry).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`+ extra-substituters = ${server.url}`),
    });
    expect(readFileSync(confOf(client), "utf8")).toBe(before);
    expect(await nixCache(client, server.url, undefined, "use")).toMatchObject({ code: 0 });
    expect(await nixCache(client, server.url, undefined, "use")).toMatchObject({
      stdout: expect.stringContaining("already uses"),
    });
    expect(readFileSync(confOf(client), "utf8")).toContain("# mine\ncores = 1\n");
    expect(faultsOf(await doctor(client, {}, path))).toEqual([]);
    await client.nix("build", "--no-link", path);

    expect(await nixCache(client, server.url, undefined, "unuse")).toMatchObject({ code: 0 });
    expect(readFileSync(confOf(client), "utf8")).toBe(before);
  });

  test("use --user writes the user's files, the token into netrc", async () => {
    const client = newClient();
    const own = join(client.env.HOME ?? "", ".config/nix");
    mkdirSync(own, { recursive: true });
    writeFileSync(join(own, "nix.conf"), "cores = 1\n");
    expect(await nixCache(client, server.url, "push", "use", "--user")).toMatchObject({ code: 0 });
    expect(readFileSync(join(own, "nix.conf"), "utf8")).toBe(
      `cores = 1\nextra-substituters = ${server.url}\nextra-trusted-public-keys = ${key.public}\nnetrc-file = ${join(own, "netrc")}\n`,
    );
    expect(readFileSync(join(own, "netrc"), "utf8")).toBe("machine 127.0.0.1 login nix password push\n");
    expect(statSync(join(own, "netrc")).mode & 0o777).toBe(0o600);
    expect(await nixCache(client, server.url, undefined, "unuse", "--user")).toMatchObject({ code: 0 });
    expect(readFileSync(join(own, "nix.conf"), "utf8")).toBe("cores = 1\n");
    expect(existsSync(join(own, "netrc"))).toBe(false);
  });

  test("use --nixos writes a module that Nix can read, and leaves files of others alone", async () => {
    const client = newClient();
    const dir = join(client.env.HOME ?? "", "nixos");
    expect(await nixCache(client, server.url, undefined, "use", "--nixos", dir)).toMatchObject({ code: 0 });
    const file = join(dir, `nix-cache-127.0.0.1-${server.port}.nix`);
    const settings = JSON.parse(
      await client.nix("eval", "--impure", "--json", "--expr", `(import ${file}).nix.settings`),
    );
    expect(settings).toEqual({
      "extra-substituters": [server.url],
      "extra-trusted-public-keys": [key.public],
    });
    writeFileSync(file, "{ }\n");
    expect(await nixCache(client, server.url, undefined, "unuse", "--nixos", dir)).toMatchObject({ code: 1 });
    expect(readFileSync(file, "utf8")).toBe("{ }\n");
    rmSync(file);
  });

  test.each<[string, () => string[], Record<string, string>, string, RegExp]>([
    [
      "an old key",
      () => [`extra-substituters = ${server.url}`, `extra-trusted-public-keys = ${other.public}`],
      {},
      "key",
      /another key of the name/,
    ],
    [
      "a substituter that is not configured",
      () => [`extra-trusted-public-keys = ${key.public}`],
      {},
      "substituter",
      /does not ask/,
    ],
    ["a token that is not taken", trusting, { NIX_CACHE_TOKEN: "wrong" }, "token", /NIX_CACHE_TOKEN/],
    [
      "a daemon that does not trust the user",
      () => [...trusting(), "trusted-users = somebody"],
      { NIX_REMOTE: "daemon" },
      "trusted-users",
      /does not trust this user/,
    ],
    [
      "a key that is none",
      () => [`extra-substituters = ${server.url}`, `extra-trusted-public-keys = ${key.public} rubbish`],
      {},
      "key",
      /has 'rubbish', which is no key/,
    ],
    ["a nix.conf that Nix cannot read", () => ["no setting"], {}, "nix", /configuration line/],
    ["no Nix", trusting, { PATH: "/nonexistent" }, "nix", /is Nix installed/],
    ["a store of another name", trusting, { NIX_STORE_DIR: "/other/store" }, "store", /\/other\/store/],
  ])("doctor finds %s", async (_, lines, more, check, detail) => {
    const found = faultsOf(await doctor(newClient(conf(...lines())), more));
    expect(found.map((each) => each.check)).toEqual([check]);
    expect(found[0]?.detail).toMatch(detail);
  });

  test("doctor tells of netrc lines that contradict each other, of this user and of Nix", async () => {
    const client = newClient(conf(...trusting()));
    const lines = ["", "push"]
      .map((password) => `machine 127.0.0.1 login nix password ${password}\n`)
      .join("");
    const files = [join(client.env.HOME ?? "", ".netrc"), join(client.env.NIX_CONF_DIR ?? "", "netrc")];
    for (const file of files) writeFileSync(file, lines);
    expect(faultsOf(await doctor(client))).toEqual(
      files.map((file) => ({
        check: "netrc",
        state: "warning",
        detail: `${file} has 2 lines for 127.0.0.1; the first counts, and has no password`,
        remedy: expect.stringContaining("leave one line for 127.0.0.1"),
      })),
    );
    const { stdout } = await runNixCache(client, { NIX_CACHE_URL: server.url }, "doctor");
    expect(stdout).toContain(`warning netrc: ${files[0]} has 2 lines`);
  });

  test("doctor says what a machine that only pushes does not need", async () => {
    const found = faultsOf(await doctor(newClient()));
    expect(found.map(({ check, remedy }) => [check, remedy?.includes("only pushes")])).toEqual([
      ["substituter", true],
      ["key", true],
    ]);
  });

  test("doctor finds settings of the user that the daemon does not follow", async () => {
    const client = newClient(conf("trusted-users = somebody"));
    const own = client.write("user.conf", `${trusting().join("\n")}\n`);
    const found = faultsOf(await doctor(client, { NIX_REMOTE: "daemon", NIX_USER_CONF_FILES: own }));
    expect(found.map(({ check }) => check)).toEqual(["substituter", "trusted-users", "key"]);
    expect(found[0]?.detail).toContain("only this user's nix.conf");
  });

  test("doctor finds a clock that is wrong", async () => {
    // Cloudflare's answers have a Date, and so have the proxy's; those of `wrangler dev` have none.
    const proxy = await startProxy(server);
    const cache = cacheAt({ url: proxy.url, token: undefined, tokenFrom: undefined }, {});
    const { findings } = await checkCache(cache, Date.now() + 3_600_000);
    await proxy.stop();
    expect(findings.find(({ check }) => check === "clock")).toMatchObject({
      state: "fault",
      detail: expect.stringMatching(/36\d\d seconds ahead/),
    });
  });

  test("doctor finds a cache that does not answer, and one that is none", async () => {
    const silent = faultsOf(await doctor(newClient(), { NIX_CACHE_URL: "http://127.0.0.1:9" }));
    expect(silent[0]).toMatchObject({ check: "cache", detail: expect.stringContaining("ECONNREFUSED") });
    const none = faultsOf(await doctor(newClient(), { NIX_CACHE_URL: `${server.url}/nosuch` }));
    expect(none[0]).toMatchObject({ check: "cache", state: "fault" });
  });

  test("doctor PATH: absent, remembered as absent, and pushed after that", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "late");
    const client = newClient(conf(...trusting()));
    const absent = faultsOf(await doctor(client, {}, path));
    expect(absent.map(({ check }) => check)).toEqual(["path"]);
    await client.run("build", "--no-link", path);
    await nixCache(pusher, server.url, "push", "push", path);

    const late = faultsOf(await doctor(client, {}, path));
    expect(late).toMatchObject([{ check: "memory", detail: expect.stringContaining("as absent") }]);
    const all = faultsOf(await doctor(client));
    expect(all).toMatchObject([
      { check: "memory", state: "warning", detail: expect.stringContaining("1 paths as absent") },
    ]);
    // The remedy.
    await client.nix("build", "--no-link", "--option", "narinfo-cache-negative-ttl", "0", path);
    expect(faultsOf(await doctor(client, {}, path))).toEqual([]);
  });

  test("doctor PATH: pushed by stock Nix, which remembers it without the cache's signature", async () => {
    const client = newClient({ token: "push", conf: trusting() });
    const path = await addFile(client, "unsigned");
    await client.nix("copy", "--to", server.url, path);
    const found = faultsOf(await doctor(client, {}, path));
    expect(found).toMatchObject([
      { check: "memory", detail: expect.stringContaining("without the signature") },
    ]);
  });

  test("doctor PATH: signed by no key that is trusted, and remembered although it is gone", async () => {
    const pusher = newClient();
    const path = await generateClosure(pusher, 60);
    await nixCache(pusher, server.url, "push", "push", path);
    const distrusting = [`extra-substituters = ${server.url}`, `extra-trusted-public-keys = ${other.public}`];
    const unsigned = faultsOf(await doctor(newClient(conf(...distrusting)), {}, path));
    expect(unsigned.map(({ check }) => check)).toEqual(["key", "signature"]);

    const client = newClient(conf(...trusting()));
    await client.nix("build", "--no-link", path);
    expect(faultsOf(await doctor(client))).toEqual([]);
    await nixCache(pusher, server.url, "admin", "delete", path);
    const gone = faultsOf(await doctor(client, {}, path));
    expect(gone.map(({ check }) => check)).toEqual(["path", "memory"]);
    expect(faultsOf(await doctor(client))).toMatchObject([
      { check: "memory", detail: expect.stringContaining("1 paths that the cache no longer has") },
    ]);
  });

  test("doctor PATH: remembered as another build, and a memory that is damaged", async () => {
    const pusher = newClient();
    const path = await addFile(pusher, "rebuilt");
    await nixCache(pusher, server.url, "push", "push", path);
    const client = newClient(conf(...trusting()));
    await client.nix("build", "--no-link", path);
    const dir = join(client.env.XDG_CACHE_HOME ?? "", "nix");
    const [name = ""] = readdirSync(dir).filter((each) => /^binary-cache-v\d+\.sqlite$/.test(each));
    const database = new DatabaseSync(join(dir, name));
    database.prepare("UPDATE NARs SET narHash = ?").run(`sha256:${"0".repeat(52)}`);
    database.close();
    expect(faultsOf(await doctor(client, {}, path))).toMatchObject([
      { check: "memory", detail: expect.stringContaining("another build") },
    ]);
    writeFileSync(join(dir, name), "no database");
    for (const args of [[], [path]]) {
      expect(faultsOf(await doctor(client, {}, ...args))).toMatchObject([
        { check: "memory", detail: expect.stringContaining("cannot be looked at") },
      ]);
    }
  });

  test("doctor PATH: references that the cache does not have", async () => {
    const pusher = newClient();
    const path = await generateClosure(pusher, 60);
    const open = `${server.url}/open`;
    expect(await nixCache(pusher, open, "admin", "push", "--no-closure", path)).toMatchObject({ code: 0 });
    const found = await doctor(newClient(conf(...trusting())), { NIX_CACHE_URL: open }, path);
    expect(found.find(({ check }) => check === "references")).toMatchObject({
      state: "warning",
      detail: expect.stringMatching(/^\d+ of its references are not here/),
      remedy: expect.stringContaining("another substituter"),
    });
  });

  test("doctor PATH: a NAR that is not there", async () => {
    const client = newClient(
      conf(`extra-substituters = ${server.url}`, `extra-trusted-public-keys = ${key.public}`),
    );
    const path = await addFile(client, "content-addressed");
    await nixCache(client, server.url, "push", "push", path);
    const proxy = await startProxy(server, (method, url) =>
      method === "HEAD" && url.startsWith("/nar/") ? { answer: 404 } : undefined,
    );
    const found = await doctor(client, { NIX_CACHE_URL: proxy.url }, path);
    await proxy.stop();
    expect(found.find(({ check }) => check === "nar")).toMatchObject({ state: "fault" });
    expect(found.find(({ check }) => check === "signature")).toMatchObject({ state: "ok" });
    expect(hashPart(path)).toHaveLength(32);
  });
});

describeNix("a private cache", () => {
  const server = serve({ PUSH_TOKEN: "push", PULL_TOKEN: "pull", SIGNING_KEY: key.secret });

  test("netrc: none, a wrong one, and the one that use writes", async () => {
    const client = newClient();
    const doctor = async () => {
      const { stdout } = await nixCache(client, server.url, "pull", "doctor", "--json");
      return (JSON.parse(stdout) as Found[]).find(({ check }) => check === "netrc");
    };
    expect(await doctor()).toMatchObject({
      state: "fault",
      detail: expect.stringContaining("does not exist"),
    });
    const netrc = join(client.env.NIX_CONF_DIR ?? "", "netrc");
    writeFileSync(netrc, "machine elsewhere login x password y\n");
    expect(await doctor()).toMatchObject({ state: "fault", detail: expect.stringContaining("has no line") });
    writeFileSync(netrc, "machine 127.0.0.1 login x password wrong\n");
    expect(await doctor()).toMatchObject({
      state: "fault",
      detail: expect.stringContaining("does not take"),
    });
    expect(await nixCache(client, server.url, "pull", "use")).toMatchObject({ code: 0 });
    expect(await doctor()).toMatchObject({ state: "ok" });

    const pusher = newClient();
    const path = await addFile(pusher, "private");
    expect(await nixCache(pusher, server.url, "push", "push", path)).toMatchObject({ code: 0 });
    await client.nix("build", "--no-link", path);
    expect(await nixCache(client, server.url, undefined, "doctor")).toMatchObject({ code: 0 });
  });

  test("without a token", async () => {
    const { stdout, code } = await nixCache(newClient(), server.url, undefined, "doctor", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)[0]).toMatchObject({
      check: "token",
      detail: "reading this cache needs a token",
    });
  });
});
